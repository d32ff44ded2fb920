//! evcxr_jupyter as it comes, for comparisons.

fn main() {
    if let Err(error) = evcxr_jupyter::main() {
        eprintln!("stock: {error:#}");
        std::process::exit(1);
    }
}
