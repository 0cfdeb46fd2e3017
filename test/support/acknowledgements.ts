/** What the clients were told, kept by a process that no fault ends. */
export interface SessionRecord {
  readonly sessionId: string;
  readonly email: string;
  readonly deviceType: string;
  /** Of the last answer that arrived. */
  accessToken: string;
  refreshToken: string;
  /** Acknowledged rotations; the login is generation 1. */
  generation: number;
  /** A logout was sent; without an answer the session may live or not. */
  logoutSent: boolean;
  logoutAcknowledged: boolean;
  /** A later login of the same person and device type was sent: a single session gives way. */
  maybeSuperseded: boolean;
}

export class Acknowledgements {
  readonly sessions = new Map<string, SessionRecord>();
  readonly counts = { logins: 0, refreshes: 0, logouts: 0, unanswered: 0, unavailable: 0 };

  loggedIn(
    email: string,
    deviceType: string,
    answer: { access_token: string; refresh_token: string; session: { id: string } },
  ): SessionRecord {
    const record: SessionRecord = {
      sessionId: answer.session.id,
      email,
      deviceType,
      accessToken: answer.access_token,
      refreshToken: answer.refresh_token,
      generation: 1,
      logoutSent: false,
      logoutAcknowledged: false,
      maybeSuperseded: false,
    };
    this.sessions.set(record.sessionId, record);
    this.counts.logins += 1;
    return record;
  }

  refreshed(record: SessionRecord, answer: { access_token: string; refresh_token: string }): void {
    record.accessToken = answer.access_token;
    record.refreshToken = answer.refresh_token;
    record.generation += 1;
    this.counts.refreshes += 1;
  }

  /** Also of sessions that their client uses no more: the service does not know that. */
  maySupersede(email: string, deviceType: string): void {
    for (const record of this.sessions.values()) {
      if (record.email === email && record.deviceType === deviceType) record.maybeSuperseded = true;
    }
  }

  loggedOut(record: SessionRecord): void {
    record.logoutAcknowledged = true;
    this.counts.logouts += 1;
  }
}
