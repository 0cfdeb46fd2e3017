export interface Operation {
  method: string;
  path: string;
  isForm: boolean;
  fields: string[];
  hasBody: boolean;
  /** The names of the parameters, wherever they stand. */
  parameters: string[];
}

/** Every operation of the service's own OpenAPI document, once. */
export async function documentedOperations(url: string): Promise<Operation[]> {
  // biome-ignore lint/suspicious/noExplicitAny: the document is data here
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  return Object.entries<any>(document.paths)
    .filter(([path]) => !path.startsWith('/api/auth/'))
    .flatMap(([path, methods]) =>
      // biome-ignore lint/suspicious/noExplicitAny: as above
      Object.entries<any>(methods).map(([method, { requestBody, parameters }]) => {
        const type = Object.keys(requestBody?.content ?? {})[0];
        const schema = requestBody?.content[type!].schema;
        return {
          method: method.toUpperCase(),
          path,
          isForm: type === 'application/x-www-form-urlencoded',
          fields: Object.keys(schema?.properties ?? {}),
          hasBody: requestBody !== undefined,
          parameters: (parameters ?? []).map(({ name }: { name: string }) => name),
        };
      }),
    );
}
