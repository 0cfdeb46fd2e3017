/** `acr` of an access token: with how many factors the user has proved to be the user, weakest first. */
export const acrValues = ['1fa', '2fa'] as const;
export type Acr = (typeof acrValues)[number];

/** The method of `amr` that says that there were several factors (RFC 8176). */
export const multipleFactors = 'mfa';

/** What the methods of `amr` amount to. */
export function acrOf(amr: readonly string[]): Acr {
  return amr.includes(multipleFactors) ? '2fa' : '1fa';
}
