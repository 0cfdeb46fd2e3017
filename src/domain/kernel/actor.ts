/** Who acts. `admin`: a user below `/admin`. `system`: the command line, or a node that starts. */
export interface Actor {
  readonly type: 'anonymous' | 'user' | 'admin' | 'client' | 'worker' | 'system';
  /** A user or client id, or the name of a program; null for a stranger. */
  readonly id: string | null;
}
