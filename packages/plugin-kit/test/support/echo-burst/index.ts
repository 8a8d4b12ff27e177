import { defineBurstPlugin } from '@vhostlab/backend-sdk';

/** Gives every frame back to where it came from. */
export default defineBurstPlugin({
  name: 'echo-burst',
  summary: 'gives every frame back',
  create: () => ({
    burst: ({ port, frames }, answer) => {
      for (const source of frames.keys()) answer.send(port, source);
    },
  }),
});
