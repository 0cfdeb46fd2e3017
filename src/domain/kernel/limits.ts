import { accessTokenTtlSecondsMax } from '@latchkey/contract/access-token-claims';

/** Bounds on everything that a stranger can make grow. Units last. */
export const limits = {
  requestBodyBytesMax: 16 * 1024,
  headerBytesMax: 16 * 1024,
  identifierCodePointsMax: 254,
  usernameCodePointsMax: 64,
  loginStringCodePointsMax: 1024,
  passwordCodePointsMin: 15,
  passwordCodePointsMax: 256,
  deviceNameCodePointsMax: 80,
  profileTextCodePointsMax: 200,
  pictureUrlCharactersMax: 2048,
  userAgentCharactersMax: 512,
  idempotencyKeyCharactersMax: 255,
  refreshTokenCharactersMax: 512,
  refreshGraceSecondsMax: 600,
  /** A proof by an RSA key of 4,096 bits has 1,500. */
  dbscProofCharactersMax: 4096,
  /** The parts of a token that can grow; together they leave room for every other claim. */
  tokenRolesCharactersMax: 2048,
  tokenAudiencesCharactersMax: 1024,
  tokenScopeCharactersMax: 1024,
  issuerCharactersMax: 256,
  audienceCharactersMax: 256,
  roleCharactersMax: 64,
  rolesPerUserMax: 100,
  audiencesPerClientMax: 50,
  scopesPerClientMax: 100,
  clientSecretsMax: 2,
  inviteTriesMax: 5,
  dpopProofAgeSecondsMax: 300,
  usedProofsPerWindowMax: 1_000_000,
  accessTokenTtlSecondsMax,
  revocationMarginSeconds: 60,
  batchCommandsMax: 100,
  streamsPerCommandMax: 256,
} as const;
