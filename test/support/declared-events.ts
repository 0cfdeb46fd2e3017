import { filesBelow, nodesOf, readText } from './source-files.ts';

export interface DeclaredEvent {
  readonly type: string;
  /** With `?` where it may be missing. */
  readonly fields: readonly string[];
}

/** Every event of the domain, from the sources: at run time, no list of them exists. */
export function declaredEvents(): DeclaredEvent[] {
  return filesBelow('src/domain')
    .filter((file) => file.endsWith('/events.ts'))
    .flatMap((file) => eventsIn(readText(file), file));
}

/** The declarations `type X = DomainEvent<'X', {…}>` of a file. */
export function eventsIn(text: string, path: string): DeclaredEvent[] {
  const events: DeclaredEvent[] = [];
  for (const node of nodesOf({ path, text })) {
    if (node.type !== 'TSTypeReference') continue;
    const { typeName, typeArguments } = node as unknown as {
      typeName: { name: string };
      typeArguments?: { params: Parameter[] };
    };
    if (typeName.name !== 'DomainEvent') continue;
    const [name, data] = typeArguments!.params;
    events.push({
      type: name!.literal!.value,
      fields: data!.members!.map(({ key, optional }) => `${key.name}${optional ? '?' : ''}`),
    });
  }
  return events;
}

interface Parameter {
  readonly literal?: { readonly value: string };
  readonly members?: readonly { readonly key: { name: string }; readonly optional: boolean }[];
}
