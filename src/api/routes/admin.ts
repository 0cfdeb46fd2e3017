import { adminRole } from '../../domain/user/roles.ts';
import { bearer } from '../http/auth.ts';

/** Who may call what stands below `/admin`. */
export const admin = bearer({ use: 'administration', role: adminRole });
