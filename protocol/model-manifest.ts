import { z } from 'zod'

/** Name of the file that describes a model, in the model's own folder. */
export const MANIFEST_FILE = 'manifest.json'
/** Formats of the manifest that are read; what is packed has the last. */
export const MANIFEST_FORMATS = [1, 2] as const
/** Largest manifest that is read, bytes. */
export const MAX_MANIFEST_BYTES = 64 * 1024
/** Largest picture of a self-test: it is held as a whole, and by default a node takes no larger one from a device. */
export const MAX_SAMPLE_BYTES = 10_000_000

const word = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'letters, digits, ".", "_" and "-", first a letter or digit')

/** Only FP32 tensors are served; the names are those of the Open Inference Protocol. */
const datatype = z.literal('FP32')
/** −1 stands for the batch, which is the first dimension. */
const batch = z.literal(-1)
const side = z.int().min(1).max(4096)
/** Path below the model's folder, with "/" between its parts. */
const file = z.string().min(1).max(256)

/** How a variant's weights are held: what a node's processor is quick with differs, so it is measured there. */
export const PRECISIONS = ['fp32', 'fp16', 'bf16', 'int8'] as const

const variant = z.strictObject({
  name: word,
  file,
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits in lower case'),
  bytes: z.int().positive(),
  precision: z.enum(PRECISIONS).default('fp32'),
  /** Share of right answers on pictures that were held out, percent; without it a variant is chosen by its name only. */
  accuracyPct: z.number().min(0).max(100).optional(),
  /** What a node must have to serve it. */
  need: z.strictObject({ freeMemoryBytes: z.int().positive().optional() }).default({}),
})

/**
 * What `manifest.json` of a model folder holds. The input is one gray picture: it is made from any picture by
 * ITU-R 601 luma, area averaging to height × width without keeping the aspect, and division by `divideBy`.
 * Format 1 knows neither `selfTest` nor more of a variant than name, file, digest and size.
 *
 * @example {"format":2,"name":"digits","version":"1.0.0","input":{"name":"input","datatype":"FP32","shape":[-1,1,28,28]},"preprocessing":{"color":"gray-bt601","resize":"area","divideBy":255,"polarity":"white-on-black"},"output":{"name":"probabilities","datatype":"FP32","shape":[-1,10],"meaning":"probabilities"},"classes":["0","1","2","3","4","5","6","7","8","9"],"variants":[{"name":"fp32","file":"digits.onnx","sha256":"…","bytes":117239,"precision":"fp32","accuracyPct":99.3}],"selfTest":[{"file":"samples/0-4.png","class":0}]}
 */
export const manifestSchema = z
  .strictObject({
    format: z.literal([...MANIFEST_FORMATS], `must be ${MANIFEST_FORMATS.join(' or ')}, the formats that are read`),
    name: word,
    version: word,
    description: z.string().max(1000).optional(),
    input: z.strictObject({
      name: z.string().min(1).max(256),
      datatype,
      /** Batch, channels, height, width. */
      shape: z.tuple([batch, z.literal(1), side, side]),
    }),
    preprocessing: z.strictObject({
      color: z.literal('gray-bt601'),
      resize: z.literal('area'),
      /** Bytes 0..255 are divided by this. */
      divideBy: z.number().positive(),
      /** What the model was trained on; pictures are not inverted. */
      polarity: z.literal('white-on-black'),
    }),
    output: z.strictObject({
      name: z.string().min(1).max(256),
      datatype,
      /** Batch, classes. */
      shape: z.tuple([batch, z.int().min(1).max(100_000)]),
      /** `probabilities` sum to 1; of `logits` the daemon takes the softmax. */
      meaning: z.enum(['probabilities', 'logits']),
    }),
    /** A name for each class, in the order of the output. */
    classes: z.array(z.string().min(1).max(128)).min(1),
    /** The same network in several files; the first is served where nothing was measured yet. */
    variants: z.array(variant).min(1).max(16),
    /** Points of `accuracyPct` that a variant may be below the best of them and still be chosen for its speed. */
    maxAccuracyLoss: z.number().min(0).max(100).default(0.5),
    /** Pictures with the class, by its place in `classes`, that each variant must answer before it serves. */
    selfTest: z
      .array(z.strictObject({ file, class: z.int().nonnegative() }))
      .max(64)
      .default([]),
  })
  .refine((manifest) => manifest.classes.length === manifest.output.shape[1], {
    path: ['classes'],
    message: 'must be as many as the output has, its second dimension',
  })
  .refine(({ variants }) => new Set(variants.map((variant) => variant.name)).size === variants.length, {
    path: ['variants'],
    message: 'must not have two of the same name',
  })
  .refine(({ format, selfTest }) => format === 1 || selfTest.length > 0, {
    path: ['selfTest'],
    message: 'must name at least one picture with its class',
  })
  .refine(({ classes, selfTest }) => selfTest.every((sample) => sample.class < classes.length), {
    path: ['selfTest'],
    message: 'must name classes by their place in `classes`, from 0',
  })

/** @see manifestSchema */
export type Manifest = z.infer<typeof manifestSchema>
/** One file of a model's weights, e.g. `fp32`. */
export type ManifestVariant = Manifest['variants'][number]
/** A picture of a self-test and what it shows. */
export type SelfTestSample = Manifest['selfTest'][number]
