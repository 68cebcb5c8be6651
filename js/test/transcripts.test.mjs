// The repository's transcripts through the protocol of the package, byte for byte.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Protocol } from 'wasmcached/protocol';
import { transcripts } from './files.mjs';
import { parse, refusal, replay } from './transcript.mjs';

const files = transcripts();

test('there are transcripts', () => assert.ok(files.length > 10));

for (const split of ['whole', 'bytes', 1, 2]) {
  suite(`transcripts, ${typeof split === 'number' ? `random pieces, seed ${split}` : split}`, () => {
    for (const file of files) {
      test(file.name, { skip: refusal(file) }, () => assert.ok(replay(file, Protocol, split) > 0));
    }
  });
}

test('a wrong answer is noticed', () => {
  const wrong = (steps) => () => replay(parse('wrong', `@case x\n${steps}`), Protocol, 'whole');
  assert.throws(wrong('> get a\n< VALUE a 0 1\n'), /expected "VALUE a 0 1\\r\\n", got "END/);
  assert.throws(wrong('> get a\n'), /after the case/);
  assert.throws(wrong('> get a\n@silent\n'), /expected silence/);
  assert.throws(wrong('> quit\n@closed\n@stats\n'), /is closed/);
  assert.throws(wrong('> set a 0 0 1\n> 1\n< STORED\n@closed\n'), /still open/);
  assert.throws(wrong('@stats\n= cmd_get 1\n'), /cmd_get is 0, expected 1/);
});
