/**
 * The XML that leaves the core, against schemas that nobody here wrote, or only wrote down: the user profile of Cx against 3GPP's CxDataType
 * (Debian ships it with Kamailio), registration information against the rules of RFC 3680.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import {
  type InitialFilterCriterion,
  type Subscriber,
  trimFilterCriteria,
} from '../../src/ims-core/hss/subscriber.ts';
import { formatUserProfile } from '../../src/ims-core/hss/user-profile.ts';
import {
  type ContactEvent,
  formatRegistrationDocument,
} from '../../src/protocols/sip/registration/registration-information.ts';
import { createValidator } from './xml-validator.ts';

const cxDataType = '/usr/share/doc/kamailio/examples/ims/scscf/CxDataType_Rel8.xsd';
const reginfo = fileURLToPath(new URL('../../../test/data/reginfo.rng', import.meta.url));
const skip = existsSync(cxDataType) ? false : `${cxDataType} is missing: apt-get install kamailio`;

/** Text that stands for something only when it is not escaped. */
const text = fc.string({ unit: fc.constantFrom(...'ab.@:&<>"\''), minLength: 1, maxLength: 12 });
const uri = fc.string({ unit: fc.constantFrom(...'abc.-1'), minLength: 1 }).map((host) => `sip:${host}.test`);
const flag = fc.option(fc.boolean(), { nil: undefined });

const condition = fc.oneof(
  fc.record({ method: fc.constantFrom('INVITE', 'MESSAGE') }),
  fc.record({
    method: fc.constant('REGISTER'),
    registrationTypes: fc.subarray(['initial-registration', 're-registration', 'de-registration'], {
      minLength: 1,
      maxLength: 2,
    }),
  }),
  fc.record({ requestUri: uri }),
  fc.record({
    sessionCase: fc.constantFrom(
      'originating',
      'terminating-registered',
      'terminating-unregistered',
      'originating-unregistered',
    ),
  }),
  fc.record({ header: text, content: text }),
  fc.record({ header: text }),
  fc.record({ sessionDescriptionLine: text, content: text }),
  fc.record({ sessionDescriptionLine: text }),
);
const servicePoint = fc.record({
  groups: fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 3 }),
  isNegated: flag,
  condition,
});
const criterion = fc.record({
  priority: fc.nat(100),
  profilePart: fc.constantFrom('registered', 'unregistered', undefined),
  trigger: fc.option(
    fc.record({
      combination: fc.constantFrom('any-group', 'every-group'),
      servicePoints: fc.array(servicePoint, { minLength: 1, maxLength: 4 }),
    }),
    { nil: undefined },
  ),
  applicationServer: fc.record({
    serverName: uri,
    defaultHandling: fc.constantFrom('continue', 'terminate'),
    serviceInformation: fc.option(text, { nil: undefined }),
    includeRegisterRequest: flag,
    includeRegisterResponse: flag,
  }),
});

function subscriberWith(initialFilterCriteria: readonly InitialFilterCriterion[]): Subscriber {
  return {
    privateIdentity: 'mn@home1.net',
    publicIdentities: [{ identity: 'sip:mn@home1.net' }, { identity: 'tel:+34910000001', isBarred: true }],
    credentials: { password: 'secret' },
    initialFilterCriteria,
  };
}

test('formatUserProfile: every profile is valid against the schema of 3GPP', { skip }, () => {
  const isValid = createValidator(cxDataType);
  const trim = formatUserProfile(subscriberWith(trimFilterCriteria('sip:trim-as.test')));
  assert.ok(isValid(trim));
  assert.ok(!isValid(trim.replace('<Priority>1</Priority>', '<Priority>first</Priority>')));
  assert.ok(!isValid(trim.replaceAll('Group>', 'Crowd>')));
  fc.assert(
    fc.property(fc.array(criterion, { maxLength: 4 }), (criteria) => {
      const profile = formatUserProfile(subscriberWith(criteria as InitialFilterCriterion[]));
      assert.ok(isValid(profile), profile);
    }),
    { seed: 1, numRuns: 300 },
  );
});

test('formatRegistrationDocument: every event is valid by the rules of RFC 3680', { skip }, () => {
  const isValid = createValidator(reginfo);
  const told = (event: ContactEvent, seconds: object = {}): string =>
    formatRegistrationDocument({
      version: 7,
      isFull: event === 'registered',
      registrations: [
        {
          addressOfRecord: 'sip:a&b@home1.net',
          state: 'active',
          contacts: [{ uri: 'sip:ue@10.0.0.1;x="y"', isActive: true, event, ...seconds }],
        },
        { addressOfRecord: 'tel:+34910000001', state: 'init', contacts: [] },
      ],
    });
  for (const event of [
    'registered',
    'refreshed',
    'expired',
    'deactivated',
    'unregistered',
    'rejected',
  ] as const)
    for (const seconds of [{}, { expiresSeconds: 60 }])
      assert.ok(isValid(told(event, seconds)), told(event, seconds));
  assert.ok(isValid(told('probation', { retryAfterSeconds: 60 })));
  assert.ok(!isValid(told('probation')), 'it says when to come back');
  assert.ok(!isValid(told('registered').replace('version="7"', '')));
});
