// What the build makes of docs/operating.md.
declare module 'docs:operating' {
  const sections: Record<string, { title: string; blocks: { isPoint: boolean; text: string }[] }>;
  export default sections;
}
