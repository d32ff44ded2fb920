//! The parameters of the course's network, as a page gets them.

/// The names that the notebooks give to the parameters of the network, and their shapes. A page gets the values in this order.
pub const PARAMETERS: [(&str, &[usize]); 6] = [
    ("conv1.weight", &[32, 1, 3, 3]),
    ("conv1.bias", &[32]),
    ("conv2.weight", &[64, 32, 3, 3]),
    ("conv2.bias", &[64]),
    ("dense.weight", &[10, 1600]),
    ("dense.bias", &[10]),
];
