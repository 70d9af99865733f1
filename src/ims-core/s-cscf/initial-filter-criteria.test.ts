import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMalformed } from '../../base/malformed.ts';
import {
  type FilteredRequest,
  type InitialFilterCriterion,
  matchesTriggerPoint,
  matchingCriteria,
  nextMatchingCriterion,
  type ServicePoint,
  type TriggerPoint,
} from './initial-filter-criteria.ts';
import { Pattern } from './pattern.ts';

const invite: FilteredRequest = {
  method: 'INVITE',
  requestUri: 'sip:cn@home1.net',
  headers: [
    ['From', '<sip:mn@home1.net>;tag=1'],
    ['P-Asserted-Identity', '<sip:mn@home1.net>'],
    ['Reply-To', '<sip:office@home1.net>'],
  ],
  sessionDescription: 'v=0\r\nm=audio 40000 RTP/AVP 0\r\na=sendrecv\r\nm=video 40002 RTP/AVP 31\r\n',
  sessionCase: 'originating',
};
const register: FilteredRequest = {
  method: 'REGISTER',
  requestUri: 'sip:home1.net',
  headers: [],
  sessionCase: 'originating',
  registrationType: 're-registration',
};

function pattern(source: string): Pattern {
  const parsed = Pattern.parse(source);
  assert.ok(!isMalformed(parsed), String(parsed));
  return parsed;
}

function method(name: string): ServicePoint {
  return { kind: 'method', method: name, registrationTypes: [] };
}

function single(servicePoint: ServicePoint, negated = false): TriggerPoint {
  return { form: 'conjunctive', triggers: [{ negated, groups: [0], servicePoint }] };
}

const points: readonly [name: string, point: ServicePoint, holds: boolean][] = [
  ['the method', method('INVITE'), true],
  ['another method', method('MESSAGE'), false],
  ['a prefix of the method', method('INV'), false],
  ['a method in other letters', method('invite'), false],
  ['part of the Request-URI', { kind: 'request-uri', pattern: pattern('cn@') }, true],
  ['another Request-URI', { kind: 'request-uri', pattern: pattern('^sip:mn') }, false],
  ['the session case', { kind: 'session-case', sessionCase: 'originating' }, true],
  ['another session case', { kind: 'session-case', sessionCase: 'terminating-registered' }, false],
  ['a header that is there', { kind: 'sip-header', header: pattern('p-asserted-identity') }, true],
  ['a header that only ends alike', { kind: 'sip-header', header: pattern('To') }, false],
  ['a header content', { kind: 'sip-header', header: pattern('From'), content: pattern('mn@') }, true],
  ['another content', { kind: 'sip-header', header: pattern('From'), content: pattern('cn@') }, false],
  [
    'a second line of a type',
    { kind: 'session-description', line: pattern('m'), content: pattern('^video') },
    true,
  ],
  ['a line type', { kind: 'session-description', line: pattern('a') }, true],
  ['an absent line type', { kind: 'session-description', line: pattern('b') }, false],
  [
    'a line of another type',
    { kind: 'session-description', line: pattern('a'), content: pattern('video') },
    false,
  ],
];

test('matchesTriggerPoint decides every service point, and the reverse when negated', () => {
  for (const [name, point, holds] of points) {
    assert.equal(matchesTriggerPoint(single(point), invite), holds, name);
    assert.equal(matchesTriggerPoint(single(point, true), invite), !holds, `not ${name}`);
  }
});

test('matchesTriggerPoint finds no line in a request without a session description', () => {
  assert.equal(
    matchesTriggerPoint(single({ kind: 'session-description', line: pattern('v') }), register),
    false,
  );
});

test('matchesTriggerPoint compares the registration type of a REGISTER and of nothing else', () => {
  const of = (name: string, ...types: ('initial-registration' | 're-registration')[]): TriggerPoint =>
    single({ kind: 'method', method: name, registrationTypes: types });
  assert.equal(matchesTriggerPoint(of('REGISTER'), register), true);
  assert.equal(matchesTriggerPoint(of('REGISTER', 'initial-registration'), register), false);
  assert.equal(
    matchesTriggerPoint(of('REGISTER', 'initial-registration', 're-registration'), register),
    true,
  );
  assert.equal(matchesTriggerPoint(of('INVITE', 'initial-registration'), invite), true);
});

test('matchesTriggerPoint joins groups as conjunctive and disjunctive normal form say', () => {
  const yes = method('INVITE');
  const no = method('BYE');
  const table: readonly [
    groups: readonly [ServicePoint, ...number[]][],
    conjunctive: boolean,
    disjunctive: boolean,
  ][] = [
    [
      [
        [yes, 0],
        [yes, 1],
      ],
      true,
      true,
    ],
    [
      [
        [yes, 0],
        [no, 1],
      ],
      false,
      true,
    ],
    [
      [
        [no, 0],
        [no, 1],
      ],
      false,
      false,
    ],
    [
      [
        [yes, 0],
        [no, 0],
      ],
      true,
      false,
    ],
    [
      [
        [yes, 0],
        [no, 0],
        [yes, 1],
        [yes, 1],
      ],
      true,
      true,
    ],
    [
      [
        [yes, 0],
        [no, 0],
        [no, 1],
        [yes, 1],
      ],
      true,
      false,
    ],
    [
      [
        [yes, 0, 1],
        [no, 0],
        [no, 1],
      ],
      true,
      false,
    ],
    [
      [
        [yes, 0, 1],
        [no, 1],
      ],
      true,
      true,
    ],
  ];
  for (const [index, [entries, conjunctive, disjunctive]] of table.entries()) {
    const triggers = entries.map(([servicePoint, ...groups]) => ({ negated: false, groups, servicePoint }));
    assert.equal(matchesTriggerPoint({ form: 'conjunctive', triggers }, invite), conjunctive, `CNF ${index}`);
    assert.equal(matchesTriggerPoint({ form: 'disjunctive', triggers }, invite), disjunctive, `DNF ${index}`);
  }
});

function criterion(priority: number, extra: Partial<InitialFilterCriterion> = {}): InitialFilterCriterion {
  return {
    priority,
    applicationServer: {
      serverName: `sip:as${priority}.home1.net`,
      defaultHandling: 'continue',
      includeRegisterRequest: false,
      includeRegisterResponse: false,
    },
    ...extra,
  };
}

test('nextMatchingCriterion goes on after the priority that was served last', () => {
  const criteria = [criterion(0), criterion(5, { triggerPoint: single(method('MESSAGE')) }), criterion(9)];
  assert.equal(nextMatchingCriterion(criteria, invite, -1)?.priority, 0);
  assert.equal(nextMatchingCriterion(criteria, invite, 0)?.priority, 9);
  assert.equal(nextMatchingCriterion(criteria, invite, 9), undefined);
});

test('matchingCriteria keeps the registered and the unregistered part of a profile apart', () => {
  const criteria = [
    criterion(0, { profilePart: 'registered' }),
    criterion(1, { profilePart: 'unregistered' }),
    criterion(2),
  ];
  const priorities = (request: FilteredRequest): number[] =>
    matchingCriteria(criteria, request).map(({ priority }) => priority);
  assert.deepEqual(priorities(invite), [0, 2]);
  assert.deepEqual(priorities({ ...invite, sessionCase: 'terminating-unregistered' }), [1, 2]);
});
