import { readFileSync } from 'node:fs';
import { OPS } from '@vhostlab/engine';
import { describe, expect, it } from 'vitest';
import { compileCostProfile, parseCostProfile } from '../src/index.ts';

const text = readFileSync(new URL('../profiles/reference.yaml', import.meta.url), 'utf8');

describe('cost profile', () => {
  it('reference has a cost for every operation and a source for every number', () => {
    const profile = parseCostProfile(text, 'reference.yaml');
    const compiled = compileCostProfile(profile);
    expect(compiled.fixedPs.length).toBe(OPS.length);
    const copy = OPS.findIndex(({ op }) => op === 'vhost.copy');
    expect(compiled.perBytePs[copy]).toBeCloseTo(profile.operations['vhost.copy'].perByte.value * 1000);
    expect(compiled.constants.get('pcie.readLatencyNs')).toBe(480);
  });

  it('names the operation that is missing', () => {
    const profile = parseCostProfile(text, 'reference.yaml');
    delete (profile.operations as Record<string, unknown>)['vhost.copy'];
    expect(() => compileCostProfile(profile)).toThrow(/lacks operations\.vhost\.copy/);
  });

  it('names an unknown operation and an unknown key', () => {
    const profile = parseCostProfile(text, 'reference.yaml');
    profile.operations['vhost.magic'] = profile.operations['vhost.copy'];
    expect(() => compileCostProfile(profile)).toThrow(/vhost\.magic is no operation/);
    expect(() => parseCostProfile(`${text}\ncolour: red\n`, 'x.yaml')).toThrow(/x\.yaml: .*colour/);
  });

  it('says in one sentence what is no YAML or has a wrong value', () => {
    expect(() => parseCostProfile('a: [', 'bad.yaml')).toThrow(/bad\.yaml is not YAML/);
    expect(() => parseCostProfile(text.replace('unit: ns/B', 'unit: s'), 'y.yaml')).toThrow(/perByte\.unit/);
  });
});
