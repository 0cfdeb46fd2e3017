import { z } from 'zod';
import { fieldsThat } from './fields-that.ts';

/** The names of the fields of a form that hold a list: such a parameter may be repeated. */
export const listFieldsOf = fieldsThat((field) => field instanceof z.ZodArray);
