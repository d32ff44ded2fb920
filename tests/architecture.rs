//! The notebook on the architecture, its solutions and its frames.

use crate::run::{notebook, run, text_of};
use crate::support::root;
use lab::animate::player;
use lab::image::{self, RgbImage};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const NAME: &str = "03_architecture.ipynb";

fn frames() -> Vec<PathBuf> {
    let folder = fs::read_dir(root().join("assets/architecture")).unwrap();
    let mut frames: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    frames.sort();
    frames
}

#[test]
fn the_frames_are_sixteen_of_one_size_and_small() {
    let paths = frames();
    let names: Vec<&str> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, (1..=16).map(|number| format!("{number:02}.png")).collect::<Vec<_>>());
    let frames: Vec<RgbImage> = paths.iter().map(|path| image::open(path).unwrap().to_rgb8()).collect();
    for (path, frame) in paths.iter().zip(&frames) {
        assert_eq!(frame.dimensions(), (960, 540), "{}", path.display());
        assert!(fs::metadata(path).unwrap().len() <= 40_000, "{}", path.display());
        assert_eq!(frame.get_pixel(0, 0), frames[0].get_pixel(0, 0), "one background");
    }
    for (index, frame) in frames.iter().enumerate().skip(1) {
        assert!(*frame != frames[index - 1], "frame {} shows nothing new", index + 1);
    }
    // They share a palette, without which this would be a megabyte.
    let html = player(&frames, 0.5).unwrap().content("text/html").unwrap().len();
    assert!(html < 500_000, "{html} bytes");
}

#[test]
fn the_notebook_and_its_solutions_run() {
    let expected: [(&str, &[&str]); 2] = [
        (
            "",
            &[
                "16 frames of 960 x 540 pixels",
                "input: 28 x 28 x 1\n28, 26, 13, 11, 5\n",
                "convolution, ReLU: 26 x 26 x 32\nmax pool: 13 x 13 x 32\n",
                "convolution, ReLU: 11 x 11 x 64\nmax pool: 5 x 5 x 64\nflatten: 1600\n",
                "[320, 18496, 16010], together 34826",
                "34826 parameters, as counted",
            ],
        ),
        ("solutions", &["32 maps of 26 x 26", "[1, 64, 7, 7]\n[1, 3136]\n[1, 10]", "50186 parameters"]),
    ];
    for (folder, texts) in expected {
        let out = tempfile::tempdir().unwrap();
        let path = Path::new("notebooks").join(folder).join(NAME);
        let arguments = [path.to_str().unwrap(), "-p", "TEST_IMAGES", "100"];
        let output = run(&arguments, out.path(), &[("TAPER_OFFLINE", "1")]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let executed = notebook(&out.path().join(NAME));
        let cells = executed["cells"].as_array().unwrap();
        let code = cells.iter().filter(|cell| cell["cell_type"] == "code");
        let printed: String = code.map(text_of).collect();
        for text in texts {
            assert!(printed.contains(text), "no {text:?} in {printed}");
        }
        let page = fs::read_to_string(out.path().join("03_architecture.html")).unwrap();
        assert!(page.contains("class=\"lab-player\"") && page.contains("attachShadow"));
    }
}

/// What the notebook prints when its frames are faulty. It is run up to the cell that reads them.
#[test]
fn a_frame_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (notebooks, assets) = (folder.path().join("notebooks"), folder.path().join("assets/architecture"));
    fs::create_dir_all(&notebooks).unwrap();
    let mut original = notebook(&root().join("notebooks").join(NAME));
    let cells = original["cells"].as_array_mut().unwrap();
    let reads = |cell: &Value| cell["source"].to_string().contains("../assets/architecture/");
    cells.truncate(cells.iter().position(reads).expect("a cell reads the frames") + 1);
    let path = notebooks.join(NAME);
    fs::write(&path, original.to_string()).unwrap();
    let error = || {
        let output = run(&[path.to_str().unwrap()], &folder.path().join("out"), &[]);
        assert!(!output.status.success());
        let executed = notebook(&folder.path().join("out").join(NAME));
        let last = executed["cells"].as_array().unwrap().last().unwrap()["outputs"][0].clone();
        assert_eq!(last["output_type"], json!("error"), "{last}");
        last.to_string()
    };

    let said = error();
    let hint = "there is no frame ../assets/architecture/01.png: open this notebook in the repository";
    assert!(said.contains(hint), "{said}");

    fs::create_dir_all(&assets).unwrap();
    for frame in frames() {
        fs::copy(&frame, assets.join(frame.file_name().unwrap())).unwrap();
    }
    let seventh = fs::read(assets.join("07.png")).unwrap();
    fs::write(assets.join("07.png"), &seventh[..seventh.len() / 2]).unwrap();
    let said = error();
    assert!(said.contains("the frame ../assets/architecture/07.png cannot be read"), "{said}");

    RgbImage::new(960, 541).save(assets.join("07.png")).unwrap();
    let said = error();
    let wrong = "the frame ../assets/architecture/07.png has 960 x 541 pixels, not (960, 540)";
    assert!(said.contains(wrong), "{said}");
}
