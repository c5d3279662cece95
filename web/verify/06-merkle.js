// The two proofs of a Merkle tree. Source: RFC 9162, sections 2.1.3.2 and 2.1.4.2.

const TREE_SIZE_MAX = Number.MAX_SAFE_INTEGER;
const PROOF_LENGTH_MAX = 64;
const DIGEST_SIZE = 32;
const EMPTY_ROOT = sha256(new Uint8Array(0));

const leafHash = (entry) => sha256(concat(Uint8Array.of(0), entry));
const nodeHash = (left, right) => sha256(concat(Uint8Array.of(1), left, right));
// Sizes go to 2^53 - 1: the bit operators of the language would cut them to 32 bits.
const half = (number) => Math.floor(number / 2);
const isOdd = (number) => number % 2 === 1;

const inclusionError = (en, zh) =>
  new Refused(`The inclusion proof is not valid: ${en}.`, `包含证明无效：${zh}。`);
const consistencyError = (en, zh) =>
  new Refused(`The consistency proof is not valid: ${en}.`, `一致性证明无效：${zh}。`);
const isProof = (proof) =>
  proof.length <= PROOF_LENGTH_MAX && proof.every((item) => item.length === DIGEST_SIZE);

/** Return the root that a leaf and its proof lead to. */
function rootFromInclusion(leaf, index, size, proof) {
  if (!(index >= 0 && index < size && size <= TREE_SIZE_MAX)) {
    throw inclusionError(
      `no leaf ${index} in a tree of ${size}`,
      `大小为 ${size} 的树没有第 ${index} 个叶子`,
    );
  }
  if (!isProof(proof)) {
    throw inclusionError("it is not a list of 32-byte hashes", "不是 32 字节哈希的列表");
  }
  let [node, last, digest] = [index, size - 1, leaf];
  for (const item of proof) {
    if (last === 0) {
      throw inclusionError(`${proof.length} hashes are too many`, `${proof.length} 个哈希过多`);
    }
    if (isOdd(node) || node === last) {
      digest = nodeHash(item, digest);
      while (!isOdd(node) && node) [node, last] = [half(node), half(last)];
    } else {
      digest = nodeHash(digest, item);
    }
    [node, last] = [half(node), half(last)];
  }
  if (last !== 0) {
    throw inclusionError(`${proof.length} hashes are too few`, `${proof.length} 个哈希过少`);
  }
  return digest;
}

function verifyInclusion(leaf, index, size, proof, root) {
  if (!isEqual(rootFromInclusion(leaf, index, size, proof), root)) {
    throw inclusionError("it leads to another root", "它导出的根不同");
  }
}

function isTrivial(first, second, proof, areRootsEqual) {
  if (!(first >= 0 && first <= second && second <= TREE_SIZE_MAX)) {
    throw consistencyError(
      `a tree of ${first} is no prefix of one of ${second}`,
      `大小 ${first} 的树不是大小 ${second} 的树的前缀`,
    );
  }
  if (!isProof(proof)) {
    throw consistencyError("it is not a list of 32-byte hashes", "不是 32 字节哈希的列表");
  }
  if (first !== 0 && first !== second) return false;
  if (proof.length || (first === second && !areRootsEqual)) {
    throw consistencyError("equal trees need no hash", "相同的树不需要哈希");
  }
  return true;
}

function isPowerOfTwo(number) {
  let rest = number;
  while (rest > 1 && !isOdd(rest)) rest = half(rest);
  return rest === 1;
}

/** Check that the first tree is a prefix of the second; the empty tree is one of every tree. */
function verifyConsistency(first, second, proof, firstRoot, secondRoot) {
  if (first === 0 && !isEqual(firstRoot, EMPTY_ROOT)) {
    throw consistencyError("the empty tree has another root", "空树的根不同");
  }
  if (isTrivial(first, second, proof, isEqual(firstRoot, secondRoot))) return;
  const path = isPowerOfTwo(first) ? [firstRoot, ...proof] : proof;
  if (!path.length) throw consistencyError("it is empty", "证明为空");
  let [node, last] = [first - 1, second - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  let [older, newer] = [path[0], path[0]];
  for (const item of path.slice(1)) {
    if (last === 0) throw consistencyError(`${proof.length} hashes are too many`, "哈希过多");
    if (isOdd(node) || node === last) {
      [older, newer] = [nodeHash(item, older), nodeHash(item, newer)];
      while (!isOdd(node) && node) [node, last] = [half(node), half(last)];
    } else {
      newer = nodeHash(newer, item);
    }
    [node, last] = [half(node), half(last)];
  }
  if (last !== 0 || !isEqual(older, firstRoot) || !isEqual(newer, secondRoot)) {
    throw consistencyError("it leads to other roots", "它导出的根不同");
  }
}
