// Ten times as many within two seconds: does it recover?
import { load } from './lib/load.js';

export { setup, shop as default } from './lib/shop.js';
export const options = load('spike');
