import { z } from 'zod';
import { fieldsThat } from './fields-that.ts';

/**
 * Fields of a body that hold somebody's credential: it is compared with what is ours and stored
 * nowhere, so NUL and lone surrogates are wrong in it only as any other text is. A schema is
 * entered with `.register(opaqueTexts)`, after everything that makes another schema of it.
 */
export const opaqueTexts = z.registry();

/** The names of such fields in a body of this schema. */
export const opaqueFieldsOf = fieldsThat((field) => opaqueTexts.has(field));
