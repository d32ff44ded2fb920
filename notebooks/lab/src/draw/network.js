// The network that MODULE holds, Rust compiled to WebAssembly from notebooks/draw.
const IMAGE = 28;
const BLOCKS = [{ count: 32, side: 13 }, { count: 64, side: 5 }];

async function unpacked(base64) {
  const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// The network with these weights, as a function: from the ink on a pad, a byte for each pixel in rows of `width`, to
// the image that it sees, ten probabilities and the maps of either block. There is no answer where there is no ink.
async function network(module, weights) {
  // candle could draw random numbers, which takes functions of the browser. Nothing here calls them.
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => {};
  const { memory, room, learn, look, answer } = (await WebAssembly.instantiate(module, imports)).exports;
  const put = bytes => {
    const start = room(bytes.length);
    new Uint8Array(memory.buffer, start, bytes.length).set(bytes);
  };
  put(weights);
  if (!learn()) throw new Error("the weights are not those of the network");
  return (ink, width) => {
    put(ink);
    const length = look(width);
    if (!length) return null;
    const numbers = new Float32Array(memory.buffer, answer(), length).slice();
    let at = 0;
    const next = count => numbers.subarray(at, (at += count));
    const [image, probabilities] = [next(IMAGE ** 2), next(10)];
    return { image, probabilities, maps: BLOCKS.map(({ count, side }) => next(count * side ** 2)) };
  };
}
