import type { KeyObject } from 'node:crypto';
import type { MailLanguage } from '../../domain/mail/mail-kinds.ts';
import type { Cells } from '../../node/cell.ts';
import type { SubjectKeys } from '../../platform/crypto/subject-cipher.ts';
import type { MailTemplates } from '../../platform/mail/templates.ts';

/** What a mail is written with. */
export interface MailContext {
  readonly cells: Cells;
  readonly subjectKeys: SubjectKeys;
  /** Derives codes and links. */
  readonly mailProofKey: KeyObject;
  readonly templates: MailTemplates;
  readonly language: MailLanguage;
  /** Where links lead, and whom the mail is from in words. */
  readonly issuer: string;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Why a mail that was queued is not sent. */
export type SkipReason =
  | 'no_user'
  | 'not_open'
  | 'unproven_address'
  | 'too_old'
  | 'known_device'
  | 'no_event';
