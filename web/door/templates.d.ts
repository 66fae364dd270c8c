// Templates come with the sentences of one language in them: see build.mjs.
declare module 'template:*' {
  const html: string;
  export default html;
}

/** Where the part of the page lies that speaks: written in by build.mjs. */
declare const FLOOR: string;
