/**
 * S-CSCF: what it must not forget when its process dies, as lines of a journal: each a whole user (profile as it came from the HSS, and
 * bindings), a whole dialog or a whole subscription, so that the last line about one is what counts. Instants mean nothing after a restart,
 * so times are those of the day. A line without content says that its user, dialog or subscription is gone.
 */
import type { DurationMs } from '../../base/instant.ts';
import { isMalformed } from '../../base/malformed.ts';
import { formatNameAddress, parseNameAddress } from '../../protocols/sip/message/name-address.ts';
import type { Binding } from '../../protocols/sip/registration/binding.ts';
import type { SubscriptionRecord } from '../../protocols/sip/subscription/event-notifier.ts';
import type { ServedUser } from './registrar.ts';
import type { ServedDialog } from './served-dialogs.ts';
import { parseUserProfile } from './user-profile.ts';

type BindingLine = Omit<Binding, 'contact' | 'expiresAt' | 'since'> & {
  readonly contact: string;
  /** Milliseconds since 1970. */
  readonly expires: number;
  readonly since: number;
};

interface UserLine {
  readonly user: string;
  readonly userData?: string;
  readonly bindings?: readonly BindingLine[];
}

interface DialogLine {
  readonly dialog: string;
  readonly state?: ServedDialog;
}

export type ServingRecord =
  | { readonly kind: 'user'; readonly user: ServedUser }
  | { readonly kind: 'user-gone'; readonly privateIdentity: string }
  | { readonly kind: 'dialog'; readonly key: string; readonly dialog: ServedDialog }
  | { readonly kind: 'dialog-gone'; readonly key: string }
  | { readonly kind: 'subscription'; readonly key: string; readonly record: SubscriptionRecord | undefined };

interface SubscriptionLine {
  readonly subscription: string;
  /** `expiresAt` in milliseconds since 1970. */
  readonly state?: SubscriptionRecord;
}

/** A user without bindings is gone. */
export function formatUserLine(
  { privateIdentity, profile, bindings }: ServedUser,
  timeOfDayOffsetMs: DurationMs,
): string {
  if (bindings.length === 0) return JSON.stringify({ user: privateIdentity } satisfies UserLine);
  const line: UserLine = {
    user: privateIdentity,
    userData: profile.document,
    bindings: bindings.map(({ contact, expiresAt, since, ...rest }) => ({
      ...rest,
      contact: formatNameAddress(contact),
      expires: expiresAt + timeOfDayOffsetMs,
      since: since + timeOfDayOffsetMs,
    })),
  };
  return JSON.stringify(line);
}

export function formatDialogLine(key: string, dialog: ServedDialog | undefined): string {
  return JSON.stringify({ dialog: key, ...(dialog && { state: dialog }) } satisfies DialogLine);
}

export function formatSubscriptionLine(
  key: string,
  record: SubscriptionRecord | undefined,
  timeOfDayOffsetMs: DurationMs,
): string {
  const state = record && { ...record, expiresAt: record.expiresAt + timeOfDayOffsetMs };
  return JSON.stringify({ subscription: key, ...(state && { state }) } satisfies SubscriptionLine);
}

/** undefined: torn, or not ours. */
export function parseServingLine(text: string, timeOfDayOffsetMs: DurationMs): ServingRecord | undefined {
  try {
    const line = JSON.parse(text) as UserLine | DialogLine | SubscriptionLine;
    if ('subscription' in line) {
      const { subscription: key, state } = line;
      const record = state && { ...state, expiresAt: state.expiresAt - timeOfDayOffsetMs };
      return { kind: 'subscription', key, record };
    }
    if ('dialog' in line)
      return line.state === undefined
        ? { kind: 'dialog-gone', key: line.dialog }
        : { kind: 'dialog', key: line.dialog, dialog: line.state };
    return toUser(line, timeOfDayOffsetMs);
  } catch {
    return undefined;
  }
}

function toUser({ user, userData, bindings }: UserLine, offsetMs: DurationMs): ServingRecord | undefined {
  if (userData === undefined || bindings === undefined) return { kind: 'user-gone', privateIdentity: user };
  const profile = parseUserProfile(userData);
  if (isMalformed(profile)) return undefined;
  const read = bindings.map(({ contact, expires, since, ...rest }) => {
    const address = parseNameAddress(contact, 'Contact');
    if (isMalformed(address)) throw new Error(address.rule);
    return { ...rest, contact: address, expiresAt: expires - offsetMs, since: since - offsetMs };
  });
  return { kind: 'user', user: { privateIdentity: user, profile, bindings: read } };
}
