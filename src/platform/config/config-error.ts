export interface ConfigProblem {
  readonly variable: string;
  readonly message: string;
}

/** What an operator has to change in the environment: every problem at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[], options?: ErrorOptions) {
    super(problems.map(({ variable, message }) => `${variable} ${message}`).join('\n'), options);
    this.problems = problems;
  }
}
