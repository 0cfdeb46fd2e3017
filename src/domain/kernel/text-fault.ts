/**
 * What no text of a person may hold, because no column, no JSON and no screen of a third party takes
 * it: null for a text without such a fault.
 */
export function textFault(text: string): 'a NUL character' | 'a lone surrogate' | null {
  if (text.includes('\0')) return 'a NUL character';
  return text.isWellFormed() ? null : 'a lone surrogate';
}
