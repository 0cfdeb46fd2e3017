import { z } from 'zod';
import { isId } from '../../domain/kernel/ids.ts';

/** An id as we hand it out: any other spelling names nothing. */
export const id = z.string().refine(isId);

/** Any text between two slashes. */
export const segment = z.string();
