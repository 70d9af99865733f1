import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Subscriber, trimFilterCriteria } from './subscriber.ts';
import { formatUserProfile } from './user-profile.ts';

const subscriber: Subscriber = {
  privateIdentity: 'mn@home1.example',
  publicIdentities: [{ identity: 'sip:mn@home1.example' }, { identity: 'tel:+34910000001', isBarred: true }],
  credentials: { password: 'secret' },
  initialFilterCriteria: trimFilterCriteria('sip:trim-as.home1.example'),
};

test('formatUserProfile: the profile of a TRIM subscriber, element by element', () => {
  assert.equal(
    broken(formatUserProfile(subscriber)),
    `<?xml version="1.0" encoding="UTF-8"?>
<IMSSubscription>
<PrivateID>mn@home1.example</PrivateID>
<ServiceProfile>
<PublicIdentity><BarringIndication>0</BarringIndication><Identity>sip:mn@home1.example</Identity></PublicIdentity>
<PublicIdentity><BarringIndication>1</BarringIndication><Identity>tel:+34910000001</Identity></PublicIdentity>
<InitialFilterCriteria><Priority>0</Priority>
<TriggerPoint><ConditionTypeCNF>0</ConditionTypeCNF>
<SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><Method>REGISTER</Method></SPT></TriggerPoint>
<ApplicationServer><ServerName>sip:trim-as.home1.example</ServerName><DefaultHandling>0</DefaultHandling><Extension><IncludeRegisterRequest/></Extension></ApplicationServer></InitialFilterCriteria>
<InitialFilterCriteria><Priority>1</Priority>
<TriggerPoint><ConditionTypeCNF>0</ConditionTypeCNF>
<SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><Method>INVITE</Method></SPT>
<SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><SessionCase>0</SessionCase></SPT>
<SPT><ConditionNegated>0</ConditionNegated><Group>1</Group><Method>INVITE</Method></SPT>
<SPT><ConditionNegated>0</ConditionNegated><Group>1</Group><SessionCase>1</SessionCase></SPT></TriggerPoint>
<ApplicationServer><ServerName>sip:trim-as.home1.example</ServerName><DefaultHandling>0</DefaultHandling></ApplicationServer></InitialFilterCriteria></ServiceProfile></IMSSubscription>`,
  );
});

test('formatUserProfile: all conditions, in the order of priority, with nothing that breaks the XML', () => {
  const profile = formatUserProfile({
    ...subscriber,
    initialFilterCriteria: [
      {
        priority: 7,
        profilePart: 'unregistered',
        applicationServer: {
          serverName: 'sip:b.example',
          defaultHandling: 'terminate',
          serviceInformation: 'a<b',
          includeRegisterRequest: true,
          includeRegisterResponse: true,
        },
      },
      {
        priority: 3,
        trigger: {
          combination: 'every-group',
          servicePoints: [
            { groups: [0, 1], isNegated: true, condition: { requestUri: 'sip:a&b@<x>' } },
            {
              groups: [2],
              condition: {
                method: 'REGISTER',
                registrationTypes: ['initial-registration', 'de-registration'],
              },
            },
            { groups: [0], condition: { header: 'Accept', content: '.*' } },
            { groups: [1], condition: { sessionDescriptionLine: 'm', content: 'audio' } },
          ],
        },
        applicationServer: { serverName: 'sip:a.example', defaultHandling: 'continue' },
      },
    ],
  });
  assert.ok(profile.indexOf('<Priority>3</Priority>') < profile.indexOf('<Priority>7</Priority>'));
  for (const part of [
    '<ConditionTypeCNF>1</ConditionTypeCNF>',
    '<ConditionNegated>1</ConditionNegated><Group>0</Group><Group>1</Group><RequestURI>sip:a&amp;b@&lt;x&gt;</RequestURI>',
    '<SIPHeader><Header>Accept</Header><Content>.*</Content></SIPHeader>',
    '<SessionDescription><Line>m</Line><Content>audio</Content></SessionDescription>',
    '<Group>2</Group><Method>REGISTER</Method><Extension><RegistrationType>0</RegistrationType><RegistrationType>2</RegistrationType></Extension></SPT>',
    '<DefaultHandling>1</DefaultHandling><ServiceInfo>a&lt;b</ServiceInfo><Extension><IncludeRegisterRequest/><IncludeRegisterResponse/></Extension></ApplicationServer><ProfilePartIndicator>1</ProfilePartIndicator>',
  ])
    assert.ok(profile.includes(part), part);
});

/** A line for each of the larger elements. */
function broken(xml: string): string {
  const starts =
    /(?<=>)<(?=IMSSubscription|PrivateID|ServiceProfile|PublicIdentity|InitialFilter|TriggerPoint|SPT|ApplicationServer)/g;
  return xml.replace(starts, '\n<');
}
