import { describe, expect, it } from 'vitest';
import { parseInjectRule } from '../src/index.ts';
import { Injector } from '../src/inject/injector.ts';

describe('parseInjectRule', () => {
  it('reads what to do, to what, and when', () => {
    expect(parseInjectRule('drop kick queue=1 nth=3')).toEqual({
      action: 'drop',
      target: 'kick',
      name: null,
      queue: 1,
      nth: 3,
      every: null,
      byNs: 0,
      text: 'drop kick queue=1 nth=3',
    });
    expect(parseInjectRule(' delay  call queue=0 by=5ms every=10')).toMatchObject({
      action: 'delay',
      target: 'call',
      byNs: 5e6,
      every: 10,
      text: 'delay call queue=0 by=5ms every=10',
    });
    expect(parseInjectRule('duplicate message VHOST_USER_SET_VRING_ENABLE nth=1')).toMatchObject({
      target: 'message',
      name: 'SET_VRING_ENABLE',
    });
    expect(parseInjectRule('delay reply GET_FEATURES by=1.5us')).toMatchObject({
      target: 'reply',
      byNs: 1500,
    });
  });

  it.each([
    ['', '"" is no action'],
    ['lose kick', '"lose" is no action'],
    ['drop packet', '"packet" is nothing to drop'],
    ['drop kick SET_OWNER', '"SET_OWNER" has no place there'],
    ['drop message SET_OWNER GET_FEATURES', '"GET_FEATURES" has no place there'],
    ['delay call', 'a delay needs by=TIME'],
    ['delay call by=5', '"5" is no time'],
    ['drop call queue=one', '"queue=one" is unknown'],
    ['drop call nth=0', 'nth and every count from 1'],
  ])('%s: %s', (text, problem) => {
    expect(() => parseInjectRule(text)).toThrow(`inject rule "${text}": ${problem}; a rule is`);
  });
});

describe('Injector', () => {
  const decide = (rules: readonly string[], events: readonly (readonly [string, string, number])[]) => {
    const injector = new Injector(rules.map(parseInjectRule));
    return events.map(([target, name, queue]) => {
      const { drop, duplicate, delayNs } = injector.decide(target as 'kick', name, queue);
      return `${drop ? 'x' : ''}${duplicate ? '2' : ''}${delayNs > 0 ? `+${delayNs / 1e6}` : ''}`;
    });
  };

  it('counts each rule by itself', () => {
    const kick = ['kick', '', 1] as const;
    const other = ['kick', '', 0] as const;
    expect(decide(['drop kick queue=1 nth=3'], [kick, other, kick, kick, kick])).toEqual([
      '',
      '',
      '',
      'x',
      '',
    ]);
    expect(decide(['drop kick queue=1 every=2'], [kick, kick, other, kick, kick])).toEqual([
      '',
      'x',
      '',
      '',
      'x',
    ]);
    expect(decide(['drop kick', 'delay kick by=5ms nth=2'], [kick, other])).toEqual(['x', 'x+5']);
  });

  it('goes by names of messages, and leaves the rest alone', () => {
    const rules = ['duplicate message SET_OWNER', 'drop reply GET_FEATURES nth=2'];
    const events = [
      ['message', 'SET_OWNER', -1],
      ['message', 'GET_FEATURES', -1],
      ['reply', 'GET_FEATURES', -1],
      ['reply', 'GET_FEATURES', -1],
      ['call', '', 0],
    ] as const;
    expect(decide(rules, events)).toEqual(['2', '', '', 'x', '']);
    const injector = new Injector(rules.map(parseInjectRule));
    expect(injector.needsNotifications).toBe(false);
    expect(new Injector([parseInjectRule('drop call')]).needsNotifications).toBe(true);
    for (const [target, name, queue] of events) injector.decide(target, name, queue);
    expect(injector.applied).toBe(2);
  });
});
