//! One known content coding undone in a stream, with a bound on what comes out (threats §5).

use std::io::{self, Write};

/// A coding that an answer to be filtered may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// Reads a `Content-Encoding`; `None` for a coding that is not known, or several of them.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Self::Identity,
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            _ => return None,
        })
    }
}

/// A decoder of one answer. Output never exceeds `ratio` bytes for each byte of input, beyond a
/// first 64 KiB.
pub(super) struct Decoder {
    inner: Inner,
    ratio: usize,
    is_begun: bool,
}

enum Inner {
    Gzip(flate2::write::MultiGzDecoder<Bounded>),
    Deflate(flate2::write::ZlibDecoder<Bounded>),
    Brotli(Box<brotli::DecompressorWriter<Bounded>>),
    Zstd(zstd::stream::zio::Writer<Bounded, zstd::stream::raw::Decoder<'static>>),
}

/// Collects output and fails once it is more than allowed.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    allowance: usize,
}

const FIRST_ALLOWANCE: usize = 64 * 1024;
const BUFFER: usize = 16 * 1024;

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.allowance = self.allowance.checked_sub(bytes.len()).ok_or_else(|| io::Error::other("decoded to more than the limit allows"))?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decoder {
    /// A decoder for a coding; `None` for `Identity`, which needs none.
    ///
    /// # Errors
    /// When the decoder cannot be set up.
    pub(super) fn new(coding: Coding, ratio: usize) -> io::Result<Option<Self>> {
        let sink = Bounded { bytes: Vec::new(), allowance: FIRST_ALLOWANCE };
        let inner = match coding {
            Coding::Identity => return Ok(None),
            Coding::Gzip => Inner::Gzip(flate2::write::MultiGzDecoder::new(sink)),
            Coding::Deflate => Inner::Deflate(flate2::write::ZlibDecoder::new(sink)),
            Coding::Brotli => Inner::Brotli(Box::new(brotli::DecompressorWriter::new(sink, BUFFER))),
            Coding::Zstd => Inner::Zstd(zstd::stream::zio::Writer::new(sink, zstd_decoder()?)),
        };
        Ok(Some(Self { inner, ratio, is_begun: false }))
    }

    /// Decodes a chunk and gives back what came out.
    ///
    /// # Errors
    /// For input that is not of this coding, or that decodes to too much.
    pub(super) fn write(&mut self, chunk: &[u8]) -> io::Result<Vec<u8>> {
        self.is_begun |= !chunk.is_empty();
        let allowance = chunk.len().saturating_mul(self.ratio);
        let sink = self.sink();
        sink.allowance = sink.allowance.saturating_add(allowance);
        match &mut self.inner {
            Inner::Gzip(decoder) => decoder.write_all(chunk).and_then(|()| decoder.flush()),
            Inner::Deflate(decoder) => decoder.write_all(chunk).and_then(|()| decoder.flush()),
            Inner::Brotli(decoder) => decoder.write_all(chunk).and_then(|()| decoder.flush()),
            Inner::Zstd(decoder) => decoder.write_all(chunk).and_then(|()| decoder.flush()),
        }?;
        Ok(std::mem::take(&mut self.sink().bytes))
    }

    /// Ends the stream; one without a byte is empty in every coding.
    ///
    /// # Errors
    /// When the input ended before the coding did.
    pub(super) fn end(&mut self) -> io::Result<Vec<u8>> {
        if !self.is_begun {
            return Ok(Vec::new());
        }
        match &mut self.inner {
            Inner::Gzip(decoder) => decoder.try_finish(),
            Inner::Deflate(decoder) => decoder.try_finish(),
            Inner::Brotli(decoder) => decoder.close(),
            // Unlike a flush, this asks whether the last frame is whole.
            Inner::Zstd(decoder) => decoder.finish(),
        }?;
        Ok(std::mem::take(&mut self.sink().bytes))
    }

    fn sink(&mut self) -> &mut Bounded {
        match &mut self.inner {
            Inner::Gzip(decoder) => decoder.get_mut(),
            Inner::Deflate(decoder) => decoder.get_mut(),
            Inner::Brotli(decoder) => decoder.get_mut(),
            Inner::Zstd(decoder) => decoder.writer_mut(),
        }
    }
}

/// A frame may ask for a window of at most 8 MiB, as RFC 9659 has it: a window is memory that no ratio bounds.
fn zstd_decoder() -> io::Result<zstd::stream::raw::Decoder<'static>> {
    let mut decoder = zstd::stream::raw::Decoder::new()?;
    decoder.set_parameter(zstd::zstd_safe::DParameter::WindowLogMax(23))?;
    Ok(decoder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(coding: Coding, encoded: &[u8]) -> io::Result<Vec<u8>> {
        let mut decoder = Decoder::new(coding, 200)?.unwrap();
        let mut decoded = Vec::new();
        for chunk in encoded.chunks(7) {
            decoded.append(&mut decoder.write(chunk)?);
        }
        decoded.append(&mut decoder.end()?);
        Ok(decoded)
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn all(plain: &[u8]) -> Vec<(Coding, Vec<u8>)> {
        let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        deflate.write_all(plain).unwrap();
        let mut brotli = Vec::new();
        brotli::CompressorWriter::new(&mut brotli, 4096, 5, 20).write_all(plain).unwrap();
        vec![
            (Coding::Gzip, gzip(plain)),
            (Coding::Deflate, deflate.finish().unwrap()),
            (Coding::Brotli, brotli),
            (Coding::Zstd, zstd::encode_all(plain, 3).unwrap()),
        ]
    }

    #[test]
    fn every_coding_is_undone_however_it_is_cut() {
        let plain: Vec<u8> = (0..5000_u32).flat_map(|number| number.to_string().into_bytes()).collect();
        for (coding, encoded) in all(&plain) {
            assert_eq!(decode(coding, &encoded).unwrap(), plain, "{coding:?}");
        }
    }

    #[test]
    fn an_answer_cut_short_is_an_error() {
        let plain: Vec<u8> = (0..5000_u32).flat_map(|number| number.to_string().into_bytes()).collect();
        for (coding, encoded) in all(&plain) {
            assert!(decode(coding, &encoded[..encoded.len() / 2]).is_err(), "{coding:?}");
            assert!(decode(coding, &encoded[..encoded.len() - 1]).is_err(), "{coding:?} short of one byte");
        }
    }

    #[test]
    fn mislabelled_and_trailing_bytes_are_errors() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            assert!(decode(coding, br#"{"values":[]}  and more text to be sure"#).is_err(), "{coding:?}");
        }
        let mut trailing = gzip(b"{}");
        trailing.extend_from_slice(b"trailing bytes that are no member");
        assert!(decode(Coding::Gzip, &trailing).is_err());
    }

    #[test]
    fn two_members_are_one_text() {
        let mut two = gzip(b"{\"a\":1");
        two.extend_from_slice(&gzip(b"}"));
        assert_eq!(decode(Coding::Gzip, &two).unwrap(), b"{\"a\":1}");
    }

    #[test]
    fn an_empty_answer_is_empty_in_every_coding() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            assert!(decode(coding, b"").unwrap().is_empty());
        }
    }

    #[test]
    fn a_window_that_takes_much_memory_is_an_error() {
        let plain: Vec<u8> = (0..50_000_u32).flat_map(u32::to_le_bytes).collect();
        for (window, is_allowed) in [(23, true), (24, false), (27, false)] {
            let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
            encoder.set_parameter(zstd::zstd_safe::CParameter::WindowLog(window)).unwrap();
            encoder.include_contentsize(false).unwrap();
            encoder.write_all(&plain).unwrap();
            assert_eq!(decode(Coding::Zstd, &encoder.finish().unwrap()).is_ok(), is_allowed, "2^{window} bytes");
        }
    }

    #[test]
    fn a_bomb_is_an_error() {
        let zeros = vec![b' '; 64 << 20];
        for (coding, encoded) in all(&zeros) {
            assert!(decode(coding, &encoded).is_err(), "{coding:?}");
        }
    }
}
