//! Tensors of candle.

use super::ends::Ends;
use super::grid::styled;
use super::{Display, array};
use candle_core::{DType, Device, DeviceLocation, Result, Tensor, Var};

/// Shape, type, device and some values of a tensor.
pub fn of_tensor(tensor: &Tensor) -> Display {
    display("Tensor", tensor)
}

/// The same of a variable, which training changes.
pub fn of_var(variable: &Var) -> Display {
    display("Var", variable.as_tensor())
}

/// The text ends with what `Debug` says, which has the values of a small tensor. A tensor whose values cannot be had, as on a GPU that
/// has failed, is shown without them.
fn display(name: &str, tensor: &Tensor) -> Display {
    let shape = tensor.dims();
    let device = match tensor.device().location() {
        DeviceLocation::Cpu => "cpu".to_owned(),
        DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    };
    let caption = format!("{name} {shape:?}, {}, {device}", tensor.dtype().as_str());
    let debug = format!("{tensor:?}");
    let shown =
        array::display(&caption, &debug, shape, |outer, rows, columns| values(tensor, outer, rows, columns));
    match shown {
        Ok(display) if shape.len() > 1 || tensor.elem_count() >= IN_DEBUG => display,
        Ok(display) => display.alt(&debug),
        Err(_) => Display::html(&styled(&caption, "")).alt(&debug),
    }
}

/// From so many values on `Debug` leaves them out.
const IN_DEBUG: usize = 10;

/// The values of a matrix of the tensor. Nothing but these is copied.
fn values(tensor: &Tensor, outer: &[usize], rows: &Ends, columns: &Ends) -> Result<Vec<Vec<String>>> {
    let mut matrix = tensor.detach();
    for at in outer {
        matrix = matrix.get(*at)?;
    }
    while matrix.rank() < 2 {
        matrix = matrix.unsqueeze(0)?;
    }
    // Without the copy all of the tensor that this is a part of would go to another device.
    let matrix = ends(&ends(&matrix, 0, rows)?, 1, columns)?.force_contiguous()?.to_device(&Device::Cpu)?;
    if matrix.dtype().is_int() {
        return Ok(texts(matrix.to_dtype(DType::I64)?.to_vec2::<i64>()?, |value| value.to_string()));
    }
    Ok(texts(matrix.to_dtype(DType::F64)?.to_vec2::<f64>()?, |value| format!("{value:?}")))
}

fn texts<T>(rows: Vec<Vec<T>>, text: impl Fn(&T) -> String) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(&text).collect()).collect()
}

/// The shown places of one dimension.
fn ends(matrix: &Tensor, dimension: usize, ends: &Ends) -> Result<Tensor> {
    let Some(first) = ends.gap else { return Ok(matrix.clone()) };
    let last = ends.shown.len() - first;
    let (first, last) =
        (matrix.narrow(dimension, 0, first)?, matrix.narrow(dimension, ends.total - last, last)?);
    Tensor::cat(&[first, last], dimension)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(display: &Display) -> &str {
        display.content("text/plain").unwrap()
    }

    #[test]
    fn tensors_of_all_ranks_and_types_have_shape_type_device_and_values() -> Result<()> {
        let cpu = &Device::Cpu;
        let matrix = Tensor::new(&[[1f32, -2.5], [f32::NAN, f32::INFINITY]], cpu)?;
        let display = of_tensor(&matrix);
        assert_eq!(text(&display), "1.0  -2.5\nNaN   inf\nTensor[dims 2, 2; f32]");
        let html = display.content("text/html").unwrap();
        assert!(html.contains("<div class=\"lab-caption\">Tensor [2, 2], f32, cpu</div><table"), "{html}");
        assert!(html.contains("<tr><td>NaN</td><td>inf</td></tr>"), "{html}");
        for dtype in [DType::F16, DType::BF16, DType::F64] {
            let shown = of_tensor(&matrix.to_dtype(dtype)?);
            let expected = format!("1.0  -2.5\nNaN   inf\nTensor[dims 2, 2; {}]", dtype.as_str());
            assert_eq!(text(&shown), expected);
        }
        let integers = Tensor::new(&[[i64::MAX, -1]], cpu)?;
        assert_eq!(text(&of_tensor(&integers)), "9223372036854775807  -1\nTensor[dims 1, 2; i64]");
        let bytes = Tensor::arange(0u8, 12, cpu)?;
        assert_eq!(text(&of_tensor(&bytes)), "0  1  2  3  4  5  6  7  8  9  10  11\nTensor[dims 12; u8]");
        let deep = Tensor::arange(0u32, 4, cpu)?.reshape((2, 1, 2))?;
        assert_eq!(
            text(&of_tensor(&deep)),
            "[0, .., ..]\n0  1\n[1, .., ..]\n2  3\nTensor[dims 2, 1, 2; u32]"
        );
        Ok(())
    }

    #[test]
    fn small_and_empty_tensors_have_the_text_of_debug() -> Result<()> {
        for tensor in [
            Tensor::new(0.5f32, &Device::Cpu)?,
            Tensor::new(&[1u32, 2], &Device::Cpu)?,
            Tensor::zeros((0, 3), DType::F32, &Device::Cpu)?,
        ] {
            assert_eq!(text(&of_tensor(&tensor)), format!("{tensor:?}"));
        }
        let scalar = of_tensor(&Tensor::new(0.5f32, &Device::Cpu)?);
        assert!(scalar.content("text/html").unwrap().contains("Tensor [], f32, cpu</div><table"));
        Ok(())
    }

    #[test]
    fn of_large_tensors_the_edges_are_shown_also_of_transposed_ones() -> Result<()> {
        let wide = Tensor::arange(0u32, 20_000, &Device::Cpu)?.reshape((20, 1000))?;
        let tall = of_tensor(&wide.t()?);
        let lines: Vec<&str> = text(&tall).lines().collect();
        let expected = "  5  1005  2005  3005  4005  5005  …  14005  15005  16005  17005  18005  19005";
        assert_eq!((lines.len(), lines[5]), (14, expected));
        assert!(lines[7].starts_with("994  1994"), "{}", lines[7]);
        Ok(())
    }

    #[test]
    fn variables_are_shown_as_tensors_are() -> Result<()> {
        let display = of_var(&Var::new(&[[1f32, 2.0]], &Device::Cpu)?);
        assert_eq!(text(&display), "1.0  2.0\nTensor[dims 1, 2; f32]");
        assert!(display.content("text/html").unwrap().contains("Var [1, 2], f32, cpu"));
        Ok(())
    }
}
