//! The figures as a page: plots as SVG, and the table below them. Everything is in the one file.

mod svg;

use std::fmt::Write;

pub(crate) use svg::{Axis, Line, Plot};

/// A page with a heading, plots, and text as it is.
pub(crate) fn html(heading: &str, plots: &[Plot], text: &str) -> String {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Pando: benches</title>\n<style>\n\
         body { font: 15px sans-serif; margin: 2em; } figure { display: inline-block; margin: 0 2em 2em 0; }\n\
         figcaption { font-weight: bold; } pre { font-size: 13px; overflow-x: auto; }\n</style>\n",
    );
    // Writing to a string can't fail.
    let _ = writeln!(page, "<h1>Pando: benches</h1>\n<p>{}</p>", escape(heading));
    for plot in plots {
        let title = escape(&plot.title);
        let _ = writeln!(page, "<figure><figcaption>{title}</figcaption>{}</figure>", plot.draw());
    }
    let _ = writeln!(page, "<pre>{}</pre>\n</html>", escape(text));
    page
}

/// Text that stands in HTML and SVG for itself.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_its_plots_and_text_escaped() {
        let line = Line { name: "a<b".to_owned(), points: vec![(0.0, 1.0), (1.0, 3.0)] };
        let plot = Plot {
            title: "x & y".to_owned(),
            x: Axis::named("frame size", ["64", "1500"]),
            y: "Mpps".to_owned(),
            lines: vec![line],
        };
        let page = html("machine", &[plot], "1 < 2");
        assert!(page.contains("x &amp; y") && page.contains("a&lt;b") && page.contains("1 &lt; 2"));
        assert_eq!(page.matches("<svg").count(), 1);
        assert_eq!(page.matches("<polyline").count(), 1);
    }
}
