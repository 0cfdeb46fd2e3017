import { type DpopRequest, verifyDpopProof } from '@latchkey/verifier/dpop-proof';
import { type ProofParts, TestDevice } from '../support/dpop.ts';

export const device = new TestDevice();
export const uri = 'https://api.example.test/orders/7';
export const now = Date.UTC(2030, 0, 1);
export const iat = now / 1000;
export const request: DpopRequest = {
  now,
  method: 'POST',
  uri,
  accessToken: null,
  ageSecondsMax: 300,
  clockSkewSeconds: 60,
};

export const proofOf = ({ header = {}, claims }: ProofParts = {}, by = device) =>
  by.proof('POST', uri, { header, claims: { iat, ...claims } });

/** `ok`, or why not. */
export function outcome(proof: string, change: Partial<DpopRequest> = {}): string {
  const verified = verifyDpopProof(proof, { ...request, ...change });
  return verified.ok ? 'ok' : verified.reason;
}

export const outcomeOf = (parts: ProofParts, change: Partial<DpopRequest> = {}) =>
  outcome(proofOf(parts), change);
