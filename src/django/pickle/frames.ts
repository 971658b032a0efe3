import { OP } from "./node.ts";

/** The bytes of a pickle as they grow, in the frames that protocol 4 brought: how much a reader may read ahead. */
export interface PickleFrames {
  /** An opcode, and a number or bytes after it as they are. */
  code(opcode: number, operand?: Uint8Array): void;
  /** An opcode, how many bytes follow, and they: large ones outside of frames, as CPython does. */
  block(opcode: number, lengthSize: 1 | 4 | 8, bytes: Uint8Array): void;
  /** To be called between values: ends a frame that has become large enough. */
  boundary(): void;
  finish(): Buffer;
}

const FRAME_TARGET = 64 * 1024;
/** What is shorter gets no frame. */
const FRAME_MIN = 4;
const FRAME_HEADER = 9;

export function pickleFrames(protocol: 4 | 5): PickleFrames {
  let buffer = Buffer.allocUnsafe(512);
  buffer[0] = OP.PROTO;
  buffer[1] = protocol;
  let length = 2;
  /** Where the current frame's header is; -1 between frames. */
  let frame = -1;

  /** @returns where `size` bytes go */
  function reserve(size: number): number {
    if (length + size > buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, length + size));
      buffer.copy(larger, 0, 0, length);
      buffer = larger;
    }
    length += size;
    return length - size;
  }

  function endFrame(): void {
    if (frame === -1) return;
    const size = length - frame - FRAME_HEADER;
    if (size >= FRAME_MIN) {
      buffer[frame] = OP.FRAME;
      buffer.writeBigUInt64LE(BigInt(size), frame + 1);
    } else {
      buffer.copyWithin(frame, frame + FRAME_HEADER, length);
      length -= FRAME_HEADER;
    }
    frame = -1;
  }

  function write(opcode: number, operand: Uint8Array): void {
    const at = reserve(1 + operand.length);
    buffer[at] = opcode;
    buffer.set(operand, at + 1);
  }

  function code(opcode: number, operand: Uint8Array = NOTHING): void {
    if (frame === -1) frame = reserve(FRAME_HEADER);
    write(opcode, operand);
  }

  return {
    code,
    block(opcode, lengthSize, bytes) {
      const size = littleEndian(bytes.length, lengthSize);
      if (bytes.length < FRAME_TARGET) {
        code(opcode, size);
      } else {
        endFrame();
        write(opcode, size);
      }
      // Reserved first: that may make another buffer.
      const at = reserve(bytes.length);
      buffer.set(bytes, at);
    },
    boundary() {
      if (frame !== -1 && length - frame - FRAME_HEADER >= FRAME_TARGET) endFrame();
    },
    finish() {
      endFrame();
      return buffer.subarray(0, length);
    },
  };
}

const NOTHING = new Uint8Array();

export function littleEndian(value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0, rest = value; at < size && rest > 0; at++, rest = Math.floor(rest / 256)) bytes[at] = rest;
  return bytes;
}
