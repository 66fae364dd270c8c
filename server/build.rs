//! The pages are built by Node into `web/dist` and carried inside the binary; without them there is nothing
//! to compile.

use std::path::Path;

fn main() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/dist/door");
    println!("cargo:rerun-if-changed={}", dist.display());
    assert!(
        dist.join("built.json").exists(),
        "the pages have not been built: run `make web` first (or `npm ci && npm run build` in web/)"
    );
}
