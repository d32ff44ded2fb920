//! The frames, one after the other.

use crate::canvas::Canvas;
use crate::decision::{dense, dropout, flatten, network, softmax};
use crate::features::{convolve, convolve_all, input, maps1, maps2, pool_one, pool_two, pooled1, pooled2};
use crate::network::Journey;

/// All frames, in order.
pub fn draw(journey: &Journey) -> Vec<Canvas> {
    vec![
        input(journey),
        convolve(journey, (0, 6)),
        convolve(journey, (8, 19)),
        convolve(journey, (25, 25)),
        maps1(journey),
        pool_one(journey),
        pooled1(journey),
        convolve_all(journey),
        maps2(journey),
        pool_two(journey),
        pooled2(journey),
        flatten(journey),
        dropout(journey),
        dense(journey),
        softmax(journey),
        network(journey),
    ]
}
