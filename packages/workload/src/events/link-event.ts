/** What is done to the frames of a link, each way alike. A setting that is left out stays as it was. */
export interface LinkSettings {
  /** Added to the link's latency, in picoseconds. */
  delayPs?: number;
  /** A further time from 0 to this many picoseconds, drawn evenly for each frame. */
  jitterPs?: number;
  /** Share of the frames that are lost, 0 to 1. */
  loss?: number;
  /** Share of the frames of which one bit arrives inverted, 0 to 1. */
  corrupt?: number;
  /** Bits per second of wire time; 0: as fast as its ports are. */
  rateBps?: number;
}

/** Changes what a link does to its frames. */
export interface LinkEvent extends LinkSettings {
  kind: 'link';
  /** From the start of traffic. */
  atPs: number;
  /** The link between the network card and the station is the one that can be changed. */
  link: 'wire';
}

/** The settings of an event in words, `loss 1 %, rate 10 Gbps`. */
export function linkSettingsText(settings: LinkSettings): string {
  const { delayPs, jitterPs, loss, corrupt, rateBps } = settings;
  return [
    ...(delayPs === undefined ? [] : [`delay ${delayPs / 1e6} us`]),
    ...(jitterPs === undefined ? [] : [`jitter ${jitterPs / 1e6} us`]),
    ...(loss === undefined ? [] : [`loss ${percent(loss)}`]),
    ...(corrupt === undefined ? [] : [`corrupt ${percent(corrupt)}`]),
    ...(rateBps === undefined ? [] : [`rate ${rateBps === 0 ? 'line' : `${rateBps / 1e9} Gbps`}`]),
  ].join(', ');
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(12))} %`;
}
