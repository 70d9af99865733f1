/**
 * Names of SIP header fields (RFC 3261 §7.3, §20 and the IANA registry): the canonical spelling, the compact forms, and which
 * fields may hold several values separated by commas. Names are compared without regard to case.
 */
const canonicalNames: readonly string[] = [
  ...[
    'Accept',
    'Accept-Contact',
    'Accept-Encoding',
    'Accept-Language',
    'Alert-Info',
    'Allow',
    'Allow-Events',
  ],
  ...['Authentication-Info', 'Authorization', 'Call-ID', 'Call-Info', 'Contact', 'Content-Disposition'],
  ...['Content-Encoding', 'Content-Language', 'Content-Length', 'Content-Type', 'CSeq', 'Date', 'Error-Info'],
  ...['Event', 'Expires', 'Feature-Caps', 'Flow-Timer', 'From', 'Geolocation', 'History-Info', 'In-Reply-To'],
  ...['Max-Forwards', 'MIME-Version', 'Min-Expires', 'Min-SE', 'Organization', 'P-Access-Network-Info'],
  ...[
    'P-Asserted-Identity',
    'P-Asserted-Service',
    'P-Associated-URI',
    'P-Called-Party-ID',
    'P-Charging-Vector',
  ],
  ...['P-Charging-Function-Addresses', 'P-Early-Media', 'P-Preferred-Identity', 'P-Preferred-Service'],
  ...['P-Served-User', 'P-Visited-Network-ID', 'Path', 'Priority', 'Privacy', 'Proxy-Authenticate'],
  ...['Proxy-Authorization', 'Proxy-Require', 'RAck', 'Reason', 'Record-Route', 'Refer-To', 'Referred-By'],
  ...['Reject-Contact', 'Replaces', 'Reply-To', 'Require', 'Retry-After', 'Route', 'RSeq', 'Security-Client'],
  ...['Security-Server', 'Security-Verify', 'Server', 'Service-Route', 'Session-Expires', 'Subject'],
  ...['Subscription-State', 'Supported', 'Target-Dialog', 'Timestamp', 'To', 'Unsupported', 'User-Agent'],
  ...['Via', 'Warning', 'WWW-Authenticate'],
];

const compactForms: Readonly<Record<string, string>> = {
  a: 'Accept-Contact',
  b: 'Referred-By',
  c: 'Content-Type',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  j: 'Reject-Contact',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  o: 'Event',
  r: 'Refer-To',
  s: 'Subject',
  t: 'To',
  u: 'Allow-Events',
  v: 'Via',
  x: 'Session-Expires',
};

/** Fields whose grammar is a list, so that a comma outside quotes and angle brackets separates two values (RFC 3261 §7.3.1). */
const listNames: ReadonlySet<string> = new Set([
  ...[
    'Accept',
    'Accept-Contact',
    'Accept-Encoding',
    'Accept-Language',
    'Alert-Info',
    'Allow',
    'Allow-Events',
  ],
  ...[
    'Call-Info',
    'Contact',
    'Content-Encoding',
    'Content-Language',
    'Error-Info',
    'Feature-Caps',
    'Geolocation',
  ],
  ...['History-Info', 'In-Reply-To', 'P-Access-Network-Info', 'P-Asserted-Identity', 'P-Associated-URI'],
  ...['P-Early-Media', 'P-Preferred-Identity', 'P-Visited-Network-ID', 'Path', 'Proxy-Require', 'Reason'],
  ...['Record-Route', 'Reject-Contact', 'Require', 'Route', 'Security-Client', 'Security-Server'],
  ...['Security-Verify', 'Service-Route', 'Supported', 'Unsupported', 'Via', 'Warning'],
]);

/** One field of the table above, or one that only its message knows. Two fields are the same when they are the same object, or when both are unknown and their keys agree. */
export interface HeaderName {
  /** The long canonical spelling; of an unknown field the one of the message. */
  readonly name: string;
  /** In lower case. */
  readonly key: string;
  readonly isList: boolean;
  /** Known fields are numbered from 1; 0 is any unknown one. */
  readonly index: number;
}

const knownNames: readonly HeaderName[] = canonicalNames.map((name, at) => ({
  name,
  key: name.toLowerCase(),
  isList: listNames.has(name),
  index: at + 1,
}));

/** By canonical spelling, by lower-case name and by compact form in both cases. */
const spellings: ReadonlyMap<string, HeaderName> = new Map(
  knownNames.flatMap((known) => {
    const compact = Object.keys(compactForms).find((form) => compactForms[form] === known.name);
    const forms = [known.name, known.key, ...(compact === undefined ? [] : [compact, compact.toUpperCase()])];
    return forms.map((form): [string, HeaderName] => [form, known]);
  }),
);

/** The field of that name, in whatever spelling. */
export function headerNameOf(name: string): HeaderName {
  const key = name.toLowerCase();
  return spellings.get(name) ?? spellings.get(key) ?? { name, key, isList: false, index: 0 };
}

/**
 * Hash table with open addressing over the lower-case spellings, so that the parser finds the field of a line without cutting the name
 * out of the message first: that would cost more than all the rest of reading the line.
 */
const tableSize = 1024;
const table: ({ readonly key: Uint8Array; readonly header: HeaderName } | undefined)[] = [];
while (table.length < tableSize) table.push(undefined);
for (const [spelling, header] of spellings) {
  if (spelling !== spelling.toLowerCase()) continue;
  const key = Buffer.from(spelling, 'latin1');
  let slot = slotOf(key.reduce(extendHash, 0));
  while (table[slot] !== undefined) slot = slotOf(slot + 1);
  table[slot] = { key, header };
}

/** The hash of a name with one more octet. Setting bit 5 makes capital letters small and keeps the other token characters apart. */
export function extendHash(hash: number, octet: number): number {
  return (Math.imul(hash, 31) + (octet | 0x20)) | 0;
}

/** The field whose name, a token with that hash, stands in octets[start, end); `undefined` when it is not a known one. */
export function knownHeaderNameAt(
  octets: Uint8Array,
  start: number,
  end: number,
  hash: number,
): HeaderName | undefined {
  for (let slot = slotOf(hash); ; slot = slotOf(slot + 1)) {
    const entry = table[slot];
    if (entry === undefined) return undefined;
    if (entry.key.length === end - start && equalsIgnoringCase(octets, start, entry.key)) return entry.header;
  }
}

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 10)) & (tableSize - 1);
}

function equalsIgnoringCase(octets: Uint8Array, start: number, key: Uint8Array): boolean {
  for (let index = 0; index < key.length; index++) {
    if ((octets[start + index]! | 0x20) !== key[index]) return false;
  }
  return true;
}
