//! Parameters.

use super::super::proto::{StringStringEntryProto, TensorProto, data_type};
use super::counts;
use candle_core::{DType, Device, Result, Tensor, bail};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

/// Where `TensorProto::data_location` says that the numbers are in another file.
const EXTERNAL: i32 = 1;

/// The type in which numbers of an ONNX type are kept.
pub fn dtype(data_type: i32) -> Result<DType> {
    Ok(match data_type {
        data_type::FLOAT => DType::F32,
        data_type::DOUBLE => DType::F64,
        data_type::FLOAT16 => DType::F16,
        data_type::BFLOAT16 => DType::BF16,
        data_type::INT64 => DType::I64,
        data_type::INT32 => DType::I32,
        data_type::UINT32 => DType::U32,
        data_type::UINT8 => DType::U8,
        _ => bail!("numbers of type {data_type} are not supported"),
    })
}

/// A parameter: floating-point numbers as `F32`, integers as `I64`.
pub fn tensor(tensor: &TensorProto, folder: &Path) -> Result<Tensor> {
    let fail = |what: &str| candle_core::Error::Msg(format!("the parameter {}: {what}", tensor.name));
    let dims = counts(&tensor.dims).ok_or_else(|| fail("a negative size"))?;
    let dtype = dtype(tensor.data_type).map_err(|error| fail(&error.to_string()))?;
    let count = dims.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
    let bytes =
        count.and_then(|count| count.checked_mul(dtype.size_in_bytes())).ok_or_else(|| fail("too large"))?;
    let external;
    let raw = if tensor.data_location == EXTERNAL {
        external =
            read_external(&tensor.external_data, folder, bytes).map_err(|error| fail(&error.to_string()))?;
        &external
    } else {
        &tensor.raw_data
    };
    let wanted = if dtype.is_float() { DType::F32 } else { DType::I64 };
    let read = if !raw.is_empty() || bytes == 0 {
        if raw.len() != bytes {
            return Err(fail(&format!("{} bytes for {dims:?} of {dtype:?}", raw.len())));
        }
        Tensor::from_raw_buffer(raw, dtype, &dims, &Device::Cpu)
    } else if !tensor.float_data.is_empty() {
        Tensor::from_slice(&tensor.float_data, dims, &Device::Cpu)
    } else if !tensor.double_data.is_empty() {
        Tensor::from_slice(&tensor.double_data, dims, &Device::Cpu)
    } else if !tensor.int64_data.is_empty() {
        Tensor::from_slice(&tensor.int64_data, dims, &Device::Cpu)
    } else if dtype == DType::I32 {
        let wide: Vec<i64> = tensor.int32_data.iter().map(|&value| i64::from(value)).collect();
        Tensor::from_vec(wide, dims, &Device::Cpu)
    } else {
        return Err(fail("no numbers"));
    };
    read.and_then(|read| read.to_dtype(wanted)).map_err(|error| fail(&crate::nn::first_line(&error)))
}

/// The numbers of a parameter that are in a file beside the model.
fn read_external(entries: &[StringStringEntryProto], folder: &Path, bytes: usize) -> Result<Vec<u8>> {
    let entry = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    let Some(location) = entry("location") else { bail!("no file is named for its numbers") };
    let is_beside = Path::new(location).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_beside {
        bail!("its numbers are in {location}, which is not in the folder of the model");
    }
    let offset = entry("offset").map_or(Ok(0), str::parse);
    let Ok(offset) = offset else { bail!("its place in {location} is no number") };
    let mut raw = Vec::new();
    let read = File::open(folder.join(location)).and_then(|mut file| {
        file.seek(SeekFrom::Start(offset))?;
        file.take(bytes as u64).read_to_end(&mut raw)
    });
    match read {
        Ok(_) => Ok(raw),
        Err(error) => bail!("{location}: {error}"),
    }
}
