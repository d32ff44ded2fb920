//! The tables of `training.rs`, in Markdown.

use super::keys::Key;
use super::{BATCH, Bench, DQN_BATCH, dqn, encoder, is_python, mobile, resnet};
use lab::scores::{Speed, Speeds};

impl Bench {
    pub fn print_head(&self) {
        println!("{} threads, medians of {}.\n", self.threads, self.rounds);
    }

    /// The table of an epoch in all variants.
    pub fn print_variants(&self, speeds: &Speeds) {
        let seconds = |name: &str| {
            let found = speeds.variants.iter().find(|speed| speed.name == name);
            found.map_or(f64::NAN, Speed::median_seconds)
        };
        let pytorch = seconds(self.label("pytorch"));
        let pytorches = speeds.variants.iter().filter(|speed| speed.name.starts_with("PyTorch"));
        let best = pytorches.map(Speed::median_seconds).fold(f64::NAN, f64::min);
        println!(
            "{}, {}, {}, measured peak {:.0} GFLOP/s:\n",
            speeds.cpu, speeds.vectors, speeds.date, speeds.peak_gflops
        );
        if speeds.variants.is_empty() {
            return;
        }
        println!(
            "| 60,000 images, batch {BATCH} | s per epoch | processor s | PyTorch as in the course = 1 | PyTorch at its best = 1 | \
             GFLOP/s (of peak) | peak memory | one digit | 10,000 digits |"
        );
        println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
        for speed in &speeds.variants {
            let scaled = if speed.images < 60_000 {
                format!(" (from {} images)", speed.images)
            } else {
                String::new()
            };
            let median = speed.median_seconds();
            println!(
                "| {} | {median:.2}{scaled} | {:.1} | {:.2} | {:.2} | {:.0} ({:.0} %) | {:.0} MiB | {:.2} ms | {:.2} s |",
                speed.name,
                speed.processor_seconds,
                median / pytorch,
                median / best,
                speed.gflops,
                100.0 * speed.gflops / speeds.peak_gflops,
                speed.memory_mib,
                speed.one_digit_ms,
                speed.ten_thousand_digits_s
            );
        }
        println!(
            "\nThe operations counted are those that a variant cannot do without: of `lab` those backward only"
        );
        println!("where a pool passes a gradient.\n");
    }

    /// The table of ResNet-20 in all variants.
    pub fn print_resnets(&self, speeds: &Speeds, avx2: bool) {
        let keys = self.with_numbers(self.resnet_keys(avx2));
        if keys.is_empty() {
            return;
        }
        let scale = resnet::EPOCH / self.pictures as f64;
        let seconds = |key: &Key| scale * self.median(*key, "seconds").unwrap_or(f64::NAN);
        let pytorches = keys.iter().filter(|key| is_python(key.variant));
        let best = pytorches.map(seconds).fold(f64::NAN, f64::min);
        println!(
            "| ResNet-20, 50,000 pictures (from {}), batch {BATCH} | s per epoch | processor s | PyTorch at its best = 1 | \
             GFLOP/s (of peak) | peak memory |",
            self.pictures
        );
        println!("|---|---:|---:|---:|---:|---:|");
        for key in &keys {
            let label = label(&resnet::VARIANTS, key.variant);
            let gflops = resnet::EPOCH * resnet::OPERATIONS / seconds(key) / 1e9;
            println!(
                "| {label} | {:.0} | {:.0} | {:.2} | {gflops:.0} ({:.0} %) | {:.0} MiB |",
                seconds(key),
                scale * self.median(*key, "processor").unwrap_or(f64::NAN),
                seconds(key) / best,
                100.0 * gflops / speeds.peak_gflops,
                self.median(*key, "memory").unwrap_or(f64::NAN),
            );
        }
        println!();
    }

    /// The table of the agent in all variants.
    pub fn print_agents(&self, avx2: bool) {
        let keys = self.with_numbers(self.agent_keys(avx2));
        if keys.is_empty() {
            return;
        }
        let seconds = |key: &Key| self.median(*key, "seconds").unwrap_or(f64::NAN);
        let pytorches = keys.iter().filter(|key| is_python(key.variant));
        let best = pytorches.map(seconds).fold(f64::NAN, f64::min);
        println!(
            "| DQN, {} steps of CartPole, batch {DQN_BATCH}, one thread | steps per second | processor s | \
             time, PyTorch at its best = 1 | peak memory |",
            self.game_steps
        );
        println!("|---|---:|---:|---:|---:|");
        for key in &keys {
            let label = label(&dqn::VARIANTS, key.variant);
            println!(
                "| {label} | {:.0} | {:.1} | {:.2} | {:.0} MiB |",
                self.game_steps as f64 / seconds(key),
                self.median(*key, "processor").unwrap_or(f64::NAN),
                seconds(key) / best,
                self.median(*key, "memory").unwrap_or(f64::NAN),
            );
        }
        println!();
    }

    pub fn print_growth(&self, what: &str, sizes: &[(usize, usize)], number: fn((usize, usize)) -> usize) {
        let numbers: Vec<String> = sizes.iter().map(|size| number(*size).to_string()).collect();
        println!("\n| s per epoch and peak memory, by {what} | {} |", numbers.join(" | "));
        println!("|---|{}", "---:|".repeat(sizes.len()));
        for variant in self.growing() {
            let cells = sizes.iter().map(|&(images, batch)| {
                let of =
                    |name| self.median(Key { variant, images, batch, avx2: false }, name).unwrap_or(f64::NAN);
                format!("{:.2} s, {:.0} MiB", of("seconds"), of("memory"))
            });
            println!("| {} | {} |", self.label(variant), cells.collect::<Vec<_>>().join(" | "));
        }
    }

    /// The table of the encoder in all variants.
    pub fn print_encoders(&self, speeds: &Speeds, avx2: bool) {
        let network = format!("encoder as MiniLM's, {} tokens", encoder::TOKENS);
        self.print_uses(
            [&network, "one sentence", "32 sentences"],
            &self.with_numbers(self.encoder_keys(avx2)),
            &encoder::VARIANTS,
            encoder::OPERATIONS,
            speeds,
        );
    }

    /// The table of EfficientNet-Lite0 in all variants.
    pub fn print_mobiles(&self, speeds: &Speeds, avx2: bool) {
        let network = format!("EfficientNet-Lite0, {0} x {0} pixels", mobile::SIDE);
        self.print_uses(
            [&network, "one picture", "32 pictures"],
            &self.with_numbers(self.mobile_keys(avx2)),
            &mobile::VARIANTS,
            mobile::operations(),
            speeds,
        );
    }

    /// The table of a network that is used for one input and for a batch, which takes so many `operations` for each, and trained.
    fn print_uses(
        &self,
        head: [&str; 3],
        keys: &[Key],
        variants: &[(&'static str, &'static str)],
        operations: f64,
        speeds: &Speeds,
    ) {
        if keys.is_empty() {
            return;
        }
        let number = |key: &Key, name| self.median(*key, name).unwrap_or(f64::NAN);
        let best = |name| {
            let pytorches = keys.iter().filter(|key| is_python(key.variant));
            pytorches.map(|key| number(key, name)).fold(f64::NAN, f64::min)
        };
        println!(
            "| {} | PyTorch at its best = 1 | {} | PyTorch at its best = 1 | training step of 32 | PyTorch at its best = 1 | \
             GFLOP/s (of peak) | peak memory |",
            head[..2].join(" | "),
            head[2]
        );
        println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
        for key in keys {
            let label = label(variants, key.variant);
            let times = ["one", "many", "step"].map(|name| {
                let seconds = number(key, name);
                match seconds.is_finite() {
                    true => format!("{:.0} ms | {:.2}", 1e3 * seconds, seconds / best(name)),
                    false => "none | ".into(),
                }
            });
            let gflops = operations * key.batch as f64 / number(key, "many") / 1e9;
            println!(
                "| {label} | {} | {gflops:.0} ({:.0} %) | {:.0} MiB |",
                times.join(" | "),
                100.0 * gflops / speeds.peak_gflops,
                number(key, "memory"),
            );
        }
        println!();
    }
}

/// What the tables call a variant.
fn label(variants: &[(&'static str, &'static str)], variant: &str) -> &'static str {
    variants.iter().find(|(name, _)| *name == variant).map_or("", |(_, label)| label)
}
