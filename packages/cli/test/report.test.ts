import { expect, it } from 'vitest';
import { optionText } from '../src/report.ts';

it('an option reads as it was given, whatever its form', () => {
  expect(optionText(200)).toBe('200');
  expect(optionText('10Mpps')).toBe('10Mpps');
  expect(optionText(['tx', 'rx'])).toBe('tx, rx');
  const event = { at: '100us', migrate: { guest: 'guest0', to: 'east' } };
  expect(optionText([event, event])).toBe(
    '{"at":"100us","migrate":{"guest":"guest0","to":"east"}}, {"at":"100us","migrate":{"guest":"guest0","to":"east"}}',
  );
});
