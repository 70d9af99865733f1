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

const spellings: ReadonlyMap<string, string> = new Map([
  ...canonicalNames.map((name): [string, string] => [name.toLowerCase(), name]),
  ...canonicalNames.map((name): [string, string] => [name, name]),
  ...Object.entries(compactForms),
]);

/** The long canonical spelling; an unknown name is given back as it was written. */
export function canonicalHeaderName(name: string): string {
  return spellings.get(name) ?? spellings.get(name.toLowerCase()) ?? name;
}

export function isListHeader(canonicalName: string): boolean {
  return listNames.has(canonicalName);
}
