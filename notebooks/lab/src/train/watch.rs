//! Looks into a network while it learns.

use super::reel::Reel;
use crate::animate::Player;
use crate::display::Display;
use crate::plot::inside::{HEIGHT, Inside, Moment, Norms, Scales, WIDTH, answer};
use crate::plot::{Maps, escape};
use candle_core::backprop::GradStore;
use candle_core::{DType, Result, Tensor, Var, bail};
use candle_nn::VarMap;
use std::time::{Duration, Instant};

/// The time between two looks.
const INTERVAL: Duration = Duration::from_millis(500);
/// A look may take a fortieth of the time between two of them.
const SHARE: u32 = 40;
/// The most maps of a picture; of more, the first are drawn.
const MAPS: usize = 64;
/// Moments per second of the player.
const SPEED: f64 = 5.0;

/// The parameters of a network with their names: a [`VarMap`], in alphabetical order, or a list.
pub trait Weights {
    /// Each name with its parameter, which shares its memory with that of the network.
    fn named(&self) -> Vec<(String, Var)>;
}

impl Weights for VarMap {
    fn named(&self) -> Vec<(String, Var)> {
        let variables = self.data().lock().expect("no thread panics while it holds the parameters");
        let mut named: Vec<_> = variables.iter().map(|(name, var)| (name.clone(), var.clone())).collect();
        named.sort_by(|(one, _), (other, _)| one.cmp(other));
        named
    }
}

impl<S: AsRef<str>> Weights for [(S, Var)] {
    fn named(&self) -> Vec<(String, Var)> {
        self.iter().map(|(name, var)| (name.as_ref().to_string(), var.clone())).collect()
    }
}

/// A network that is looked into now and then.
pub struct Watch {
    weights: Vec<Var>,
    /// The first weight that reads the digit, with the shape of its filters.
    filters: Option<(Var, [usize; 3])>,
    digit: Tensor,
    inside: Inside,
    reel: Reel<Moment>,
    next: Option<Instant>,
    /// The last moment, as HTML.
    drawn: String,
}

impl Watch {
    pub fn new(weights: &(impl Weights + ?Sized), digit: &Tensor) -> Result<Self> {
        let (channels, height, width) = match *digit.dims() {
            [1, channels, height, width] if digit.elem_count() > 0 => (channels, height, width),
            _ => bail!("watching one digit [1, channels, height, width], not a tensor {:?}", digit.dims()),
        };
        let (names, weights): (Vec<String>, Vec<Var>) = weights.named().into_iter().unzip();
        let shape = |var: &Var| match *var.dims() {
            [n, of, height, width] if of == channels => Some([n * of, height, width]),
            [n, of] if of == channels * height * width => Some([n * channels, height, width]),
            _ => None,
        };
        let found = weights.iter().zip(&names).find_map(|(var, name)| Some((var, name, shape(var)?)));
        let filters = found.map(|(var, _, shape)| (var.clone(), shape));
        let name = found.map(|(_, name, _)| name.clone()).unwrap_or_default();
        let mut pixels = values(digit)?;
        pixels.truncate(height * width);
        let digit_map = Maps { values: pixels, size: (width, height) };
        let inside = Inside { filters: name, weights: names, digit: digit_map };
        Ok(Self {
            weights,
            filters,
            digit: digit.clone(),
            inside,
            reel: Reel::new(),
            next: None,
            drawn: String::new(),
        })
    }

    /// Whether it is time to look again; cheap, to be asked all the time.
    pub fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| now >= next)
    }

    /// Looks, and rests for a multiple of the time that it took by `clock`.
    pub fn look(
        &mut self,
        clock: impl Fn() -> Instant,
        time: String,
        gradients: &GradStore,
        inside: impl FnOnce(&Tensor) -> Result<(Tensor, Tensor)>,
    ) -> Result<()> {
        let start = clock();
        let moment = self.moment(time, gradients, inside)?;
        self.reel.push(moment);
        let scales = Scales::of(self.reel.moments());
        let drawn = self.reel.last().map(|moment| html(&self.inside, moment, &scales));
        self.drawn = drawn.unwrap_or_default();
        let end = clock();
        self.next = Some(end + INTERVAL.max((end - start) * SHARE));
        Ok(())
    }

    fn moment(
        &self,
        time: String,
        gradients: &GradStore,
        inside: impl FnOnce(&Tensor) -> Result<(Tensor, Tensor)>,
    ) -> Result<Moment> {
        let (maps, logits) = inside(&self.digit)?;
        let shape = match *maps.dims() {
            [1, n, height, width] | [n, height, width] => [n, height, width],
            [1, n] => [1, 1, n],
            _ => bail!("feature maps of one digit [1, n, height, width], not a tensor {:?}", maps.dims()),
        };
        let norms = |var: &Var| -> Result<Norms> {
            let gradient = gradients.get(var).map(values).transpose()?;
            Ok(Norms::new(&values(var)?, gradient.as_deref()))
        };
        let filters = self.filters.as_ref();
        Ok(Moment {
            time,
            filters: filters.map(|(var, shape)| first_maps(var, *shape)).transpose()?,
            norms: self.weights.iter().map(norms).collect::<Result<_>>()?,
            maps: first_maps(&maps, shape)?,
            probabilities: softmax(&values(&logits)?),
        })
    }

    /// The last moment as HTML; nothing before the first look.
    pub fn drawn(&self) -> &str {
        &self.drawn
    }

    /// What the network says about the digit, in words.
    pub fn answer(&self) -> Option<String> {
        answer(&self.reel.last()?.probabilities)
    }

    /// A player of the moments that were kept, as HTML; if there is only one, its picture.
    pub fn player(&self) -> String {
        if self.reel.moments().len() < 2 {
            return self.drawn.clone();
        }
        let scales = Scales::of(self.reel.moments());
        let draw = |moment| {
            let drawing = self.inside.draw(moment, &scales)?;
            Ok(drawing.content("image/svg+xml").unwrap_or_default().to_string())
        };
        let drawings: crate::Result<Vec<String>> = self.reel.moments().map(draw).collect();
        let player = drawings.and_then(|drawings| {
            let player = Player::of_drawings(&drawings, (WIDTH as u32, HEIGHT as u32), SPEED)?;
            let player = player.captions(self.reel.moments().map(|moment| moment.time.clone()))?;
            Ok(player.alt("The inside of the network during training").display())
        });
        spaced(&html_of(player))
    }
}

/// With room above it.
fn spaced(html: &str) -> String {
    format!("<div style=\"margin-top:12px\">{html}</div>")
}

/// The picture of a moment, and when it was.
fn html(inside: &Inside, moment: &Moment, scales: &Scales) -> String {
    spaced(&format!("{}<div>{}</div>", html_of(inside.draw(moment, scales)), escape(&moment.time)))
}

/// The HTML of a display. A training must not fail because it cannot be drawn.
fn html_of(display: crate::Result<Display>) -> String {
    match &display {
        Ok(display) => display.content("text/html").unwrap_or_default().to_string(),
        Err(error) => format!("<div>{}</div>", escape(&format!("{error:#}"))),
    }
}

/// The values of a tensor of any type and shape.
fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}

/// The maps of a tensor of this shape `[n, height, width]`, the first [`MAPS`] of them.
fn first_maps(tensor: &Tensor, [n, height, width]: [usize; 3]) -> Result<Maps> {
    let mut values = values(tensor)?;
    if values.is_empty() {
        bail!("no values in feature maps [{n}, {height}, {width}]");
    }
    values.truncate(MAPS * height * width);
    Ok(Maps { values, size: (width, height) })
}

/// The probabilities of logits, which are not changed by subtracting the largest.
fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let powers: Vec<f64> = logits.iter().map(|logit| f64::from(logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use std::cell::Cell;

    fn tensor(values: &[f32], shape: &[usize]) -> Tensor {
        Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
    }

    fn var(values: &[f32], shape: &[usize]) -> Var {
        Var::from_tensor(&tensor(values, shape)).unwrap()
    }

    /// A filter of 1 x 2 values that sums up to 7, a bias without a gradient, and the gradient of the filter, (2, -1.5).
    fn filter_and_bias() -> ([(&'static str, Var); 2], GradStore) {
        let (filter, bias) = (var(&[3.0, 4.0], &[1, 1, 1, 2]), var(&[-2.0], &[1]));
        let loss = (filter.as_tensor() * tensor(&[2.0, -1.5], &[1, 1, 1, 2])).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        ([("filter", filter), ("bias", bias)], gradients)
    }

    fn digit() -> Tensor {
        tensor(&[0.0, 1.0], &[1, 1, 1, 2])
    }

    /// Two feature maps of one value, and logits with odds of 3 to 1.
    fn answer(_: &Tensor) -> Result<(Tensor, Tensor)> {
        Ok((tensor(&[0.5, 0.25], &[1, 2, 1, 1]), tensor(&[3f32.ln(), 0.0], &[1, 2])))
    }

    #[test]
    fn a_moment_has_the_norms_the_filters_and_the_answer() {
        let (weights, gradients) = filter_and_bias();
        let watch = Watch::new(&weights[..], &digit()).unwrap();
        let moment = watch.moment("now".into(), &gradients, answer).unwrap();
        let expected = [Norms { weight: 5.0, gradient: Some(2.5) }, Norms { weight: 2.0, gradient: None }];
        assert_eq!(moment.norms, expected);
        let filters = moment.filters.unwrap();
        assert_eq!((filters.values, filters.size), (vec![3.0, 4.0], (2, 1)));
        assert_eq!((moment.maps.values, moment.maps.size), (vec![0.5, 0.25], (1, 1)));
        assert!(
            (moment.probabilities[0] - 0.75).abs() < 1e-6 && (moment.probabilities[1] - 0.25).abs() < 1e-6
        );
        // A later step changes the weights in place.
        weights[0].1.set(&tensor(&[0.0, 1.0], &[1, 1, 1, 2])).unwrap();
        assert_eq!(watch.moment("later".into(), &gradients, answer).unwrap().norms[0].weight, 1.0);
    }

    #[test]
    fn the_filters_are_of_the_first_weight_that_reads_the_digit() {
        let digit = Tensor::zeros((1, 3, 4, 5), DType::F32, &Device::Cpu).unwrap();
        let zeros = |shape: &[usize]| Var::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        let shape = |shapes: &[&[usize]]| {
            let weights: Vec<_> = shapes.iter().map(|shape| ("w", zeros(shape))).collect();
            Watch::new(&weights[..], &digit).unwrap().filters.map(|(_, shape)| shape)
        };
        assert_eq!(shape(&[&[8], &[16, 8, 3, 3], &[8, 3, 2, 2]]), Some([24, 2, 2]));
        assert_eq!(shape(&[&[10, 50], &[10, 60]]), Some([30, 4, 5]));
        assert_eq!(shape(&[&[10, 50], &[10]]), None);
        // By their names, as a `VarMap` has no order.
        let map = VarMap::new();
        for name in ["b", "c", "a"] {
            map.data().lock().unwrap().insert(name.into(), zeros(&[1]));
        }
        let names: Vec<String> = map.named().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn what_cannot_be_watched_is_an_error() {
        let (weights, gradients) = filter_and_bias();
        let error = Watch::new(&weights[..], &tensor(&[0.0; 2], &[2, 1, 1, 1])).err().unwrap().to_string();
        assert!(
            error.starts_with("watching one digit [1, channels, height, width], not a tensor [2, 1, 1, 1]"),
            "{error}"
        );
        let watch = Watch::new(&weights[..], &digit()).unwrap();
        let two = |_: &Tensor| Ok((tensor(&[0.0; 2], &[2, 1, 1, 1]), tensor(&[0.0], &[1, 1])));
        let error = watch.moment("now".into(), &gradients, two).err().unwrap().to_string();
        assert!(
            error.starts_with("feature maps of one digit [1, n, height, width], not a tensor [2, 1, 1, 1]"),
            "{error}"
        );
    }

    /// Looks that take 10 ms come every half second; looks of 100 ms every four.
    #[test]
    fn looks_are_rare() {
        let (weights, gradients) = filter_and_bias();
        let start = Instant::now();
        let now = Cell::new(start);
        for (milliseconds, expected) in [(10, 20), (100, 3)] {
            let mut watch = Watch::new(&weights[..], &digit()).unwrap();
            let (mut looks, end) = (0, now.get() + Duration::from_secs(10));
            while now.get() < end {
                if watch.is_due(now.get()) {
                    let slow = |digit: &Tensor| {
                        looks += 1;
                        now.set(now.get() + Duration::from_millis(milliseconds));
                        answer(digit)
                    };
                    watch.look(|| now.get(), String::new(), &gradients, slow).unwrap();
                }
                now.set(now.get() + Duration::from_millis(1));
            }
            assert_eq!(looks, expected, "of {milliseconds} ms");
        }
    }

    #[test]
    fn a_player_has_up_to_40_moments_and_one_moment_is_a_picture() {
        let (weights, gradients) = filter_and_bias();
        let mut watch = Watch::new(&weights[..], &digit()).unwrap();
        assert_eq!((watch.drawn(), watch.player().as_str(), watch.answer()), ("", "", None));
        let look = |watch: &mut Watch, step: usize| {
            watch.look(Instant::now, format!("step {step}"), &gradients, answer).unwrap();
        };
        look(&mut watch, 0);
        assert!(watch.drawn().contains("<img ") && watch.drawn().contains("<div>step 0</div>"));
        assert_eq!(watch.player(), watch.drawn());
        assert_eq!(watch.answer().unwrap(), "the digit: 0 with 75.0 %");
        (1..100).for_each(|step| look(&mut watch, step));
        let player = watch.player();
        // Every fourth of 100, and the last.
        let steps: Vec<String> =
            (0..100).step_by(4).chain([99]).map(|step| format!("&quot;step {step}&quot;")).collect();
        assert!(player.contains(&format!("data-captions=\"[{}]\"", steps.join(","))), "{player}");
        assert!(player.contains("alt=\"The inside of the network during training\""));
        assert!(player.len() < 40_000, "{} bytes", player.len());
    }
}
