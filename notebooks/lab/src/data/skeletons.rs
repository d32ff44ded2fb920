//! How the ten digits are written: their strokes, in a box from (0, 0) at the top left to (1, 1).

pub type Point = (f32, f32);

/// The points that a pen passes through; a point that is listed twice is a corner.
pub type Stroke = &'static [Point];

/// One way to write a digit.
pub type Skeleton = &'static [Stroke];

/// For each digit the ways in which people write it; one that is listed twice is twice as common.
pub const SKELETONS: [&[Skeleton]; 10] = [
    &[ZERO_ROUND, ZERO_OVERLAPPING],
    &[ONE_LINE, ONE_LINE, ONE_FLAG, ONE_BASE],
    &[TWO_ANGLE, TWO_LOOP],
    &[THREE_ROUND, THREE_FLAT],
    &[FOUR_OPEN, FOUR_OPEN, FOUR_CLOSED, FOUR_CURVED],
    &[FIVE_CORNERS, FIVE_SNAKE, FIVE_HAT],
    &[SIX_ROUND, SIX_STEEP],
    &[SEVEN_PLAIN, SEVEN_BAR, SEVEN_HOOK, SEVEN_CURVED],
    &[EIGHT_SWUNG, EIGHT_RINGS],
    &[NINE_STRAIGHT, NINE_STRAIGHT, NINE_CURLED],
];

#[rustfmt::skip]
const ZERO_ROUND: Skeleton = &[&[
    (0.55, 0.00), (0.20, 0.13), (0.05, 0.50), (0.20, 0.88), (0.50, 1.00), (0.82, 0.87), (0.95, 0.50), (0.80, 0.13),
    (0.50, 0.00),
]];
#[rustfmt::skip]
const ZERO_OVERLAPPING: Skeleton = &[&[
    (0.65, 0.05), (0.30, 0.10), (0.10, 0.50), (0.28, 0.94), (0.62, 0.96), (0.88, 0.50), (0.70, 0.10), (0.45, 0.02),
    (0.30, 0.14),
]];
#[rustfmt::skip]
const ONE_LINE: Skeleton = &[&[(0.50, 0.00), (0.50, 0.33), (0.50, 0.67), (0.50, 1.00)]];
#[rustfmt::skip]
const ONE_FLAG: Skeleton = &[&[(0.25, 0.26), (0.56, 0.00), (0.56, 0.00), (0.55, 0.50), (0.54, 1.00)]];
#[rustfmt::skip]
const ONE_BASE: Skeleton = &[
    &[(0.27, 0.22), (0.54, 0.00), (0.54, 0.00), (0.53, 0.50), (0.52, 0.98)],
    &[(0.20, 1.00), (0.52, 0.99), (0.88, 0.98)],
];
#[rustfmt::skip]
const TWO_ANGLE: Skeleton = &[&[
    (0.12, 0.22), (0.30, 0.03), (0.65, 0.02), (0.85, 0.25), (0.70, 0.55), (0.40, 0.80), (0.08, 1.00), (0.08, 1.00),
    (0.50, 0.99), (0.95, 0.96),
]];
#[rustfmt::skip]
const TWO_LOOP: Skeleton = &[&[
    (0.15, 0.20), (0.40, 0.00), (0.76, 0.10), (0.78, 0.40), (0.50, 0.75), (0.20, 0.96), (0.06, 0.86), (0.22, 0.76),
    (0.50, 0.90), (0.75, 1.00), (0.98, 0.90),
]];
#[rustfmt::skip]
const THREE_ROUND: Skeleton = &[&[
    (0.15, 0.12), (0.45, 0.00), (0.80, 0.12), (0.78, 0.35), (0.40, 0.48), (0.40, 0.48), (0.80, 0.57), (0.90, 0.80),
    (0.55, 1.00), (0.12, 0.88),
]];
#[rustfmt::skip]
const THREE_FLAT: Skeleton = &[&[
    (0.14, 0.03), (0.50, 0.02), (0.85, 0.02), (0.85, 0.02), (0.62, 0.22), (0.40, 0.42), (0.40, 0.42), (0.75, 0.49),
    (0.90, 0.72), (0.60, 0.98), (0.10, 0.91),
]];
#[rustfmt::skip]
const FOUR_OPEN: Skeleton = &[
    &[(0.18, 0.02), (0.12, 0.30), (0.08, 0.55), (0.08, 0.55), (0.50, 0.56), (0.92, 0.50)],
    &[(0.78, 0.03), (0.74, 0.50), (0.70, 1.00)],
];
#[rustfmt::skip]
const FOUR_CLOSED: Skeleton = &[&[
    (0.95, 0.64), (0.50, 0.65), (0.04, 0.66), (0.04, 0.66), (0.34, 0.34), (0.66, 0.00), (0.66, 0.00), (0.65, 0.50),
    (0.64, 1.00),
]];
#[rustfmt::skip]
const FOUR_CURVED: Skeleton = &[
    &[(0.20, 0.02), (0.10, 0.28), (0.20, 0.50), (0.50, 0.52), (0.84, 0.36)],
    &[(0.86, 0.04), (0.82, 0.40), (0.72, 1.00)],
];
#[rustfmt::skip]
const FIVE_CORNERS: Skeleton = &[&[
    (0.87, 0.02), (0.50, 0.02), (0.24, 0.04), (0.24, 0.04), (0.21, 0.25), (0.17, 0.46), (0.17, 0.46), (0.52, 0.38),
    (0.86, 0.56), (0.84, 0.83), (0.50, 1.00), (0.10, 0.90),
]];
#[rustfmt::skip]
const FIVE_SNAKE: Skeleton = &[&[
    (0.86, 0.03), (0.50, 0.00), (0.20, 0.16), (0.30, 0.41), (0.66, 0.52), (0.86, 0.76), (0.60, 0.98), (0.10, 0.93),
]];
#[rustfmt::skip]
const FIVE_HAT: Skeleton = &[
    &[(0.30, 0.05), (0.20, 0.43), (0.20, 0.43), (0.60, 0.39), (0.86, 0.66), (0.60, 0.97), (0.12, 0.93)],
    &[(0.31, 0.05), (0.60, 0.03), (0.95, 0.00)],
];
#[rustfmt::skip]
const SIX_ROUND: Skeleton = &[&[
    (0.72, 0.00), (0.36, 0.20), (0.10, 0.60), (0.22, 0.92), (0.56, 1.00), (0.86, 0.80), (0.74, 0.56), (0.40, 0.53),
    (0.14, 0.73),
]];
#[rustfmt::skip]
const SIX_STEEP: Skeleton = &[&[
    (0.48, 0.00), (0.24, 0.30), (0.12, 0.65), (0.25, 0.95), (0.60, 0.98), (0.80, 0.76), (0.60, 0.57), (0.30, 0.63),
    (0.16, 0.80),
]];
#[rustfmt::skip]
const SEVEN_PLAIN: Skeleton =
    &[&[(0.08, 0.05), (0.50, 0.03), (0.92, 0.02), (0.92, 0.02), (0.66, 0.50), (0.40, 1.00)]];
#[rustfmt::skip]
const SEVEN_BAR: Skeleton = &[
    &[(0.08, 0.05), (0.50, 0.03), (0.92, 0.02), (0.92, 0.02), (0.64, 0.50), (0.38, 1.00)],
    &[(0.32, 0.52), (0.60, 0.50), (0.90, 0.47)],
];
#[rustfmt::skip]
const SEVEN_HOOK: Skeleton = &[&[
    (0.10, 0.22), (0.12, 0.03), (0.12, 0.03), (0.50, 0.05), (0.90, 0.03), (0.90, 0.03), (0.70, 0.35), (0.57, 0.65),
    (0.50, 1.00),
]];
#[rustfmt::skip]
const SEVEN_CURVED: Skeleton =
    &[&[(0.05, 0.13), (0.40, 0.03), (0.84, 0.07), (0.76, 0.40), (0.52, 0.70), (0.38, 1.00)]];
#[rustfmt::skip]
const EIGHT_SWUNG: Skeleton = &[&[
    (0.80, 0.12), (0.50, 0.00), (0.20, 0.15), (0.30, 0.40), (0.70, 0.60), (0.86, 0.82), (0.50, 1.00), (0.15, 0.82),
    (0.30, 0.58), (0.70, 0.38), (0.82, 0.15),
]];
#[rustfmt::skip]
const EIGHT_RINGS: Skeleton = &[
    &[(0.50, 0.00), (0.22, 0.22), (0.50, 0.46), (0.78, 0.22), (0.50, 0.00)],
    &[(0.50, 0.46), (0.13, 0.72), (0.50, 1.00), (0.87, 0.72), (0.50, 0.46)],
];
#[rustfmt::skip]
const NINE_STRAIGHT: Skeleton = &[&[
    (0.82, 0.16), (0.50, 0.00), (0.14, 0.22), (0.30, 0.50), (0.65, 0.44), (0.83, 0.16), (0.83, 0.16), (0.80, 0.55),
    (0.74, 1.00),
]];
#[rustfmt::skip]
const NINE_CURLED: Skeleton = &[&[
    (0.86, 0.22), (0.52, 0.00), (0.14, 0.24), (0.38, 0.51), (0.76, 0.38), (0.88, 0.20), (0.86, 0.62), (0.62, 0.97),
    (0.18, 0.94),
]];
