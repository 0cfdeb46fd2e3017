import { refreshCookieName } from './cookies.ts';

/** The credentials that routes take, as OpenAPI names them. */
export const securitySchemes = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'The `access_token` of a login or refresh',
  },
  client: {
    type: 'http',
    scheme: 'basic',
    description: 'The `client_id` and `client_secret` of a confidential client',
  },
  refresh_cookie: {
    type: 'apiKey',
    in: 'cookie',
    name: refreshCookieName,
    description:
      'Of a login with `transport: "cookie"`, from an allowed origin only. The browser keeps it ' +
      'and sends it by itself: a page can neither read nor set it.',
  },
} as const;
