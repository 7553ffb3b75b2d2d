//! stub
pub mod span {
    pub fn short(_: jiff::SignedDuration) -> String {
        String::new()
    }
}
pub mod timing {
    use crate::model::record::Entry;
    pub struct Timing;
    impl Timing {
        pub fn new(
            _: &[Entry],
            _: Option<&[Entry]>,
            _: jiff::Timestamp,
            _: bool,
        ) -> Result<Self, crate::engine::state::IllegalRecord> {
            Ok(Self)
        }
        pub fn in_zone(self, _: jiff::tz::TimeZone) -> Self {
            self
        }
        pub fn only(self, _: &[String]) -> Result<Self, String> {
            Ok(self)
        }
    }
}
pub mod text {
    pub fn render(_: &super::timing::Timing) -> String {
        String::new()
    }
}
pub mod csv {
    pub fn render(_: &super::timing::Timing) -> String {
        String::new()
    }
}
pub mod html {
    pub fn render(_: &super::timing::Timing) -> String {
        String::new()
    }
}
pub mod json {
    pub fn render(_: &super::timing::Timing) -> String {
        String::new()
    }
}
pub mod screen {
    use crate::engine::news::News;
    use std::sync::Arc;
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub enum Progress {
        Bars,
        Lines,
        Json,
    }
    pub struct Reporter(std::sync::mpsc::Sender<News>, std::thread::JoinHandle<()>);
    pub fn start(
        _: Progress,
        _: Arc<crate::model::Outline>,
        _: Vec<crate::model::record::Entry>,
        _clock: impl FnMut() -> jiff::Timestamp + Send + 'static,
    ) -> Reporter {
        let (a, b) = std::sync::mpsc::channel();
        Reporter(
            a,
            std::thread::spawn(move || {
                while let Ok(n) = b.recv() {
                    if let News::Committed(c) = n { eprintln!("{}", c.line) } else { eprintln!("{n:?}") }
                }
            }),
        )
    }
    impl Reporter {
        pub fn news(&self) -> std::sync::mpsc::Sender<News> {
            self.0.clone()
        }
        pub fn finish(self) {
            drop(self.0);
            let _ = self.1.join();
        }
    }
}
