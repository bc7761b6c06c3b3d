//! onnxruntime, loaded once in the life of the program.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

use super::fault::NeuralFault;

/// The loaded library. Cheap to clone.
#[derive(Clone)]
pub struct Runtime(pub(super) Environment);

/// The library that was loaded, and from where: it cannot be unloaded, and there can be one.
static LOADED: Mutex<Option<(PathBuf, Runtime)>> = Mutex::new(None);

impl Runtime {
    /// Loads the library from a file. What it links to is code that runs with all rights of the program.
    ///
    /// # Errors
    /// When there is no such library, it is too old, or another file was loaded before. The message says what to install.
    pub fn load(library: Option<&Path>) -> Result<Self, NeuralFault> {
        let fault = |reason: String| NeuralFault::Library { reason };
        let library = library.ok_or_else(|| fault("no path of onnxruntime is set".to_owned()))?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((path, runtime)) = &*loaded {
            if path == library {
                return Ok(runtime.clone());
            }
            let message = "onnxruntime is loaded from";
            let another = "one program can load one, so a new path counts after the next start";
            return Err(fault(format!("{message} `{}`, not `{}`: {another}", path.display(), library.display())));
        }
        let builder = ort::init_from(library).map_err(|e| fault(format!("onnxruntime was not loaded: {e}")))?;
        let built = builder.with_name("forthwith").with_telemetry(false).build();
        let runtime = Self(built.map_err(|e| fault(format!("onnxruntime did not start: {e}")))?);
        *loaded = Some((library.to_owned(), runtime.clone()));
        Ok(runtime)
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_there_is_told_with_what_to_install() {
        let missing = Runtime::load(None).unwrap_err().to_string();
        insta::assert_snapshot!(missing, @"no path of onnxruntime is set; neural models need the shared library of onnxruntime, 1.24 or newer: install it (`pip install onnxruntime`) and name its file (`…/site-packages/onnxruntime/capi/libonnxruntime.so.1.…`) by `onnxruntime` in the section `[inference]` of `forthwith.toml`, or by the environment variable ORT_DYLIB_PATH");
        let missing = Runtime::load(Some(Path::new("/nowhere/libonnxruntime.so"))).unwrap_err().to_string();
        assert!(missing.starts_with("onnxruntime was not loaded: failed to load from `/nowhere/libonnxruntime.so`"));
        assert!(missing.contains("pip install onnxruntime"), "{missing}");
    }
}
