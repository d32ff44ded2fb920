//! Files that PyTorch has written (`tests/make_fixtures.py`), damaged ones, and pickles made by hand.

use super::{first_line, read_pth};
use candle_core::{DType, Tensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn tensors_of_all_kinds_and_layouts_are_those_that_pytorch_saved() {
    let counted = |steps: &[f64]| steps.to_vec();
    let permuted = |outer: f64| [0.0, 4.0, 8.0, 12.0, 16.0, 20.0].map(|at| at + outer);
    let expected: HashMap<&str, (DType, Vec<usize>, Vec<f64>)> = HashMap::from([
        ("model.rows", (DType::F32, vec![2, 3, 4], (0..24).map(f64::from).collect())),
        (
            "model.columns",
            (
                DType::F32,
                vec![6, 4],
                (0..6).flat_map(|row| (0..4).map(move |at| f64::from(row + 6 * at))).collect(),
            ),
        ),
        ("model.part", (DType::F32, vec![6], counted(&[5.0, 6.0, 7.0, 8.0, 9.0, 10.0]))),
        (
            "model.permuted",
            (DType::F32, vec![4, 2, 3], [0.0, 1.0, 2.0, 3.0].into_iter().flat_map(permuted).collect()),
        ),
        ("model.parameter", (DType::F32, vec![2], counted(&[1.5, -2.0]))),
        ("model.half", (DType::F16, vec![2], counted(&[0.5, 3.0]))),
        ("model.bfloat16", (DType::BF16, vec![2], counted(&[0.25, -8.0]))),
        ("model.double", (DType::F64, vec![], counted(&[0.1]))),
        ("model.steps", (DType::I64, vec![], counted(&[7.0]))),
        ("model.flags", (DType::U8, vec![2], counted(&[1.0, 0.0]))),
        ("model.empty", (DType::F32, vec![0, 3], vec![])),
    ]);
    for file in ["checkpoint.pth", "checkpoint_before_1.6.pth"] {
        let tensors = read_pth(fixture(file)).unwrap();
        assert_eq!(tensors.len(), expected.len(), "{file}: {:?}", tensors.keys());
        for (name, (dtype, shape, values)) in &expected {
            let tensor = &tensors[*name];
            assert_eq!((tensor.dtype(), tensor.dims()), (*dtype, &shape[..]), "{file}: {name}");
            assert_eq!(numbers(tensor), *values, "{file}: {name}");
        }
    }
}

#[track_caller]
fn assert_refused(path: &Path, expected: &str) {
    let error = first_line(&read_pth(path).unwrap_err());
    assert_eq!(error, format!("{}: {expected}", path.display()));
}

#[test]
fn what_is_not_a_tensor_is_named_and_not_called() {
    for (name, expected) in [
        (
            "surprise.pth",
            "other is no tensor, but what __builtin__.print would return, which is not called here",
        ),
        ("whole_model.pth", "holds no dictionary of tensors: save the model's state_dict(), not the model"),
        ("no_tensors.pth", "has no tensors"),
        ("complex.pth", "has numbers of a kind that candle does not have, ComplexFloatStorage"),
        ("curve.safetensors", "is no file that torch.save has written"),
        ("missing.pth", "No such file or directory (os error 2)"),
    ] {
        assert_refused(&fixture(name), expected);
    }
}

/// Every file that ends early, or has one byte changed, is read or refused, and nothing else happens.
#[test]
fn damaged_files_are_errors_of_a_line() {
    let folder = own_folder();
    let path = folder.join("damaged.pth");
    for name in ["checkpoint.pth", "checkpoint_before_1.6.pth"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        let check = |damaged: &[u8]| {
            std::fs::write(&path, damaged).unwrap();
            if let Err(error) = read_pth(&path) {
                let error = first_line(&error);
                assert!(error.starts_with(&format!("{}: ", path.display())), "{error}");
                return true;
            }
            false
        };
        for len in (0..bytes.len()).step_by(7) {
            assert!(check(&bytes[..len]), "{name}: the first {len} bytes");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] = damaged[at].wrapping_add(1 + (at % 255) as u8);
            check(&damaged);
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

fn own_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!(
        "lab-pth-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A pickle as PyTorch before 1.6 begins a file, then `objects`.
fn old(objects: &[u8]) -> Vec<u8> {
    [&super::OLD[..], b"\x80\x02M\xe9\x03.", b"\x80\x02}.", objects, b"\x80\x02]."].concat()
}

#[test]
fn objects_that_contain_themselves_or_each_other_many_times_end() {
    let folder = own_folder();
    let path = folder.join("strange.pth");
    // A dictionary that has itself.
    std::fs::write(&path, old(b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.")).unwrap();
    assert_refused(&path, "has dictionaries within dictionaries, 16 deep");
    // Each dictionary has the one before it ten times.
    let mut objects = b"\x80\x02}q\x00".to_vec();
    for level in 0..14u8 {
        objects.extend(b"}(");
        for name in b'a'..b'k' {
            objects.extend([b'X', 1, 0, 0, 0, name, b'h', level]);
        }
        objects.extend([b'u', b'q', level + 1]);
    }
    objects.push(b'.');
    std::fs::write(&path, old(&objects)).unwrap();
    assert_refused(&path, "has more than 1048576 names");
    // A parameter that is made of itself.
    std::fs::write(
        &path,
        old(b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_parameter\n]q\x00Rq\x01h\x00h\x01a0s."),
    )
    .unwrap();
    assert_refused(&path, "describes a tensor otherwise than PyTorch does");
    // As many tuples around each other as do not fit on a stack of calls.
    let nested = [b"\x80\x02)".as_slice(), &vec![0x85; 1 << 22], b"."].concat();
    std::fs::write(&path, old(&nested)).unwrap();
    assert_refused(&path, "holds no dictionary of tensors: save the model's state_dict(), not the model");
    std::fs::remove_dir_all(folder).unwrap();
}
