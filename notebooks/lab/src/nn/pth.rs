//! Files of PyTorch.

mod pickle;
#[cfg(test)]
mod tests;

use super::load::first_line;
use candle_core::{DType, Device, Layout, Result, Tensor, bail};
use pickle::{At, Object, Pickle};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use zip::ZipArchive;

/// How a file begins that PyTorch before 1.6 has written: with a pickle of a certain number.
const OLD: [u8; 15] = *b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
const MAX_DEPTH: usize = 16;
const MAX_NAMES: usize = 1 << 20;

/// The tensors of a file that `torch.save` has written, on the CPU, by their names. The file holds a `state_dict`, or a dictionary
/// in which one is: the names in dictionaries within others are joined by dots. What else is in it, such as a number of epochs, is
/// passed over.
///
/// Such a file says in a *pickle*, a program for a small machine, how its objects are put together. Python's own reader does whatever
/// that program says, also what a stranger has written into it. Here nothing of it is called.
///
/// candle's own `pickle::read_all` reads neither files of PyTorch before 1.6 nor tensors that are laid out otherwise than row by row.
///
/// # Errors
/// When the file cannot be read, is damaged, or holds something else than tensors. The message names the file.
pub fn read_pth(path: impl AsRef<Path>) -> Result<HashMap<String, Tensor>> {
    let file = path.as_ref().display();
    match read(path.as_ref()) {
        Ok(tensors) if tensors.is_empty() => bail!("{file}: has no tensors"),
        Ok(tensors) => Ok(tensors),
        Err(error) => bail!("{file}: {}", first_line(&error)),
    }
}

fn read(path: &Path) -> Result<HashMap<String, Tensor>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut start = Vec::new();
    file.by_ref().take(OLD.len() as u64).read_to_end(&mut start)?;
    file.rewind()?;
    let (pickle, storages) = match &start[..] {
        [b'P', b'K', ..] => from_archive(file)?,
        start if start == OLD => from_old(file)?,
        _ => bail!("is no file that torch.save has written"),
    };
    let described = described(&pickle)?;
    described.into_iter().map(|(name, view)| Ok((name, view.tensor(&storages)?))).collect()
}

/// Numbers one after the other, by the names that the pickle has for them.
type Storages = HashMap<String, Tensor>;

/// Of PyTorch since 1.6: a zip archive with the pickle, and a file for each storage.
fn from_archive(file: BufReader<File>) -> Result<(Pickle, Storages)> {
    let mut archive = ZipArchive::new(file)?;
    let names = archive.file_names().collect::<std::result::Result<Vec<_>, _>>()?;
    let found = names.iter().find_map(|name| name.strip_suffix("data.pkl"));
    let Some(folder) = found.map(String::from) else { bail!("is an archive without data.pkl") };
    let pickle = Pickle::read(&mut BufReader::new(archive.by_name(&format!("{folder}data.pkl"))?))?;
    let mut order = String::new();
    if let Ok(mut entry) = archive.by_name(&format!("{folder}byteorder")) {
        entry.read_to_string(&mut order)?;
    }
    check_order(order.trim() != "big")?;
    let read = |(name, storage): (String, Storage)| {
        let entry = archive.by_name(&format!("{folder}data/{name}"))?;
        Ok((name, storage.read(entry)?))
    };
    let storages = storages(&pickle)?.into_iter().map(read).collect::<Result<_>>()?;
    Ok((pickle, storages))
}

/// Of PyTorch before 1.6: pickles of a number, a version, the machine, the objects, and the names of the storages, which follow.
fn from_old(mut file: BufReader<File>) -> Result<(Pickle, Storages)> {
    Pickle::read(&mut file)?;
    Pickle::read(&mut file)?;
    let machine = Pickle::read(&mut file)?;
    check_order(is_little_endian(&machine))?;
    let pickle = Pickle::read(&mut file)?;
    let names = Pickle::read(&mut file)?;
    let kinds = storages(&pickle)?;
    let mut found = Storages::new();
    for name in names.sequence(names.root).unwrap_or_default() {
        let name = names.text(*name).unwrap_or_default();
        let Some(&storage) = kinds.get(name) else { bail!("no tensor of it has the numbers {name:?}") };
        let mut len = [0; 8];
        file.read_exact(&mut len)?;
        if u64::from_le_bytes(len) != storage.len as u64 {
            bail!("has another number of numbers {name:?} than its tensors have");
        }
        found.insert(name.to_string(), storage.read(&mut file)?);
    }
    Ok((pickle, found))
}

fn is_little_endian(machine: &Pickle) -> bool {
    let Object::Dictionary(pairs) = &machine.objects[machine.root] else { return true };
    pairs.iter().all(|(key, value)| {
        machine.text(*key) != Some("little_endian") || !matches!(machine.objects[*value], Object::Integer(0))
    })
}

fn check_order(is_little_endian: bool) -> Result<()> {
    if !is_little_endian {
        bail!("was written on a machine that has the bytes of numbers in the other order");
    }
    Ok(())
}

/// The kind and the number of the numbers of a storage.
#[derive(Clone, Copy)]
struct Storage {
    dtype: DType,
    len: usize,
}

impl Storage {
    fn read(self, reader: impl Read) -> Result<Tensor> {
        let size = self.len.saturating_mul(self.dtype.size_in_bytes());
        let mut bytes = Vec::new();
        reader.take(size as u64).read_to_end(&mut bytes)?;
        if bytes.len() != size {
            bail!("is cut off: {} of {size} bytes of a storage", bytes.len());
        }
        Tensor::from_raw_buffer(&bytes, self.dtype, &[self.len], &Device::Cpu)
    }
}

/// What the pickle says of all storages.
fn storages(pickle: &Pickle) -> Result<HashMap<String, Storage>> {
    let kept = pickle.objects.iter().filter_map(|object| match object {
        Object::Kept(at) => Some(storage(pickle, *at)),
        _ => None,
    });
    kept.collect()
}

/// A storage by its description: the word "storage", its class, its name, its device, and the number of its numbers.
fn storage(pickle: &Pickle, at: At) -> Result<(String, Storage)> {
    let Some([_, class, name, _, len, rest @ ..]) = pickle.sequence(at) else { return misshapen() };
    let (Some(class), Some(name), Some(len)) = (pickle.global(*class), pickle.text(*name), pickle.size(*len))
    else {
        return misshapen();
    };
    // In the oldest files.
    if rest.iter().any(|at| pickle.sequence(*at).is_some()) {
        bail!("has numbers that are a part of others, as only PyTorch before 1.0 wrote them");
    }
    let dtype = match class.strip_prefix("torch.").unwrap_or(class) {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "ByteStorage" | "BoolStorage" => DType::U8,
        "ShortStorage" => DType::I16,
        "IntStorage" => DType::I32,
        "LongStorage" => DType::I64,
        other => bail!("has numbers of a kind that candle does not have, {other}"),
    };
    Ok((name.to_string(), Storage { dtype, len }))
}

/// A tensor, as a part of a storage.
struct View {
    storage: String,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// All tensors in the dictionaries of a pickle, with their names.
fn described(pickle: &Pickle) -> Result<Vec<(String, View)>> {
    let Object::Dictionary(pairs) = &pickle.objects[pickle.root] else {
        bail!("holds no dictionary of tensors: save the model's state_dict(), not the model");
    };
    let (mut found, mut names) = (Vec::new(), 0);
    // The pairs that are left of each dictionary on the way to here, and its name.
    let mut open = vec![(pairs.iter(), String::new())];
    while let Some((pairs, prefix)) = open.last_mut() {
        let Some((key, value)) = pairs.next() else {
            open.pop();
            continue;
        };
        names += 1;
        if names > MAX_NAMES {
            bail!("has more than {MAX_NAMES} names");
        }
        let Some(key) = pickle.text(*key) else { continue };
        let name = format!("{prefix}{key}");
        match &pickle.objects[*value] {
            Object::Dictionary(_) if open.len() == MAX_DEPTH => {
                bail!("has dictionaries within dictionaries, {MAX_DEPTH} deep")
            }
            Object::Dictionary(pairs) => open.push((pairs.iter(), name + ".")),
            Object::Call(callable, arguments) => {
                let view = view(pickle, &name, *callable, *arguments)?;
                found.push((name, view));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The tensor that a function of PyTorch makes of these arguments.
fn view(pickle: &Pickle, name: &str, mut callable: At, mut arguments: At) -> Result<View> {
    for _ in 0..MAX_DEPTH {
        let function = pickle.global(callable).unwrap_or("something");
        let Some(list) = pickle.sequence(arguments) else { return misshapen() };
        match (function, list) {
            ("torch._utils._rebuild_tensor_v2", [kept, offset, shape, strides, ..]) => {
                let sizes = |at| pickle.sequence(at)?.iter().map(|at| pickle.size(*at)).collect();
                let (Object::Kept(kept), Some(offset), Some(shape), Some(strides)) =
                    (&pickle.objects[*kept], pickle.size(*offset), sizes(*shape), sizes(*strides))
                else {
                    return misshapen();
                };
                return Ok(View { storage: storage(pickle, *kept)?.0, offset, shape, strides });
            }
            ("torch._utils._rebuild_parameter", [tensor, ..]) => match pickle.objects[*tensor] {
                Object::Call(function, of) => (callable, arguments) = (function, of),
                _ => return misshapen(),
            },
            ("torch._tensor._rebuild_from_type_v2", [function, _, of, ..]) => {
                (callable, arguments) = (*function, *of);
            }
            _ => bail!("{name} is no tensor, but what {function} would return, which is not called here"),
        }
    }
    misshapen()
}

fn misshapen<T>() -> Result<T> {
    bail!("describes a tensor otherwise than PyTorch does")
}

impl View {
    fn tensor(&self, storages: &Storages) -> Result<Tensor> {
        let Self { offset, shape, strides, .. } = self;
        let Some(storage) = storages.get(&self.storage) else {
            bail!("lacks the numbers {:?}", self.storage)
        };
        let len = storage.elem_count();
        let count = shape.iter().try_fold(1usize, |count, size| count.checked_mul(*size));
        let last = shape.iter().zip(strides).try_fold(*offset, |last, (size, stride)| {
            last.checked_add(size.saturating_sub(1).checked_mul(*stride)?)
        });
        let (Some(count), Some(last)) = (count, last) else { return misshapen() };
        if shape.len() != strides.len() || count > len || (count > 0 && last >= len) {
            bail!("has a tensor {shape:?} of only {len} numbers");
        }
        if count == 0 {
            return Tensor::zeros(&shape[..], storage.dtype(), &Device::Cpu);
        }
        if strides == Layout::contiguous(&shape[..]).stride() {
            return storage.narrow(0, *offset, count)?.reshape(&shape[..]);
        }
        if u32::try_from(len).is_err() {
            bail!("has a tensor {shape:?} that is too large for its layout");
        }
        let mut places = vec![*offset as u32];
        for (size, stride) in shape.iter().zip(strides) {
            places = places
                .iter()
                .flat_map(|at| (0..*size).map(move |step| at + (step * stride) as u32))
                .collect();
        }
        storage.index_select(&Tensor::new(places, &Device::Cpu)?, 0)?.reshape(&shape[..])
    }
}
