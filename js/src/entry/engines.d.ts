// Engines: modules that a bundler imports, and texts that the build writes.

declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
declare module '*.wasm?module' {
  const module: WebAssembly.Module;
  export default module;
}
declare module 'engine-data/store' {
  /** Name of the global that holds the engine of the store as text. */
  export const storeEngine: symbol;
}
declare module 'engine-data/protocol' {
  /** Name of the global that holds the engine of the protocol as text. */
  export const protocolEngine: symbol;
}
