// Templates come with the sentences of one language in them: see build.mjs.
declare module 'template:*' {
  const html: string;
  export default html;
}
