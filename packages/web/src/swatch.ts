import { type Html, html } from './html.ts';
import type { ThemeColor } from './palette.ts';

/** A small square in a colour; the page's script paints it for the theme in use. */
export function swatch({ light, dark }: ThemeColor): Html {
  return html`<span class="swatch" data-light="${light}" data-dark="${dark}" aria-hidden="true"></span>`;
}
