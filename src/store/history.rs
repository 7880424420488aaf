//! What documents were: the audit log, read by document.

use super::error::StoreError;
use super::live::Store;
use super::state::Document;
use jiff::Timestamp;
use std::sync::Arc;

impl Store {
    /// A document as it was at that time; none if it was not made yet, or gone already.
    ///
    /// # Errors
    /// When the database fails, and for kinds whose content is kept out of the audit log.
    pub async fn past<T: Document>(&self, key: &str, at: Timestamp) -> Result<Option<Arc<T>>, StoreError> {
        let body = self.database().past(T::KIND, key, at).await?;
        body.map(|body| read(key, &body)).transpose()
    }

    /// All documents of a kind as they were at that time, by key.
    ///
    /// # Errors
    /// As [`Self::past`].
    pub async fn all_past<T: Document>(&self, at: Timestamp) -> Result<Vec<Arc<T>>, StoreError> {
        let rows = self.database().all_past(T::KIND, at).await?;
        let mut documents = rows.iter().map(|(key, body)| Ok((key, read(key, body)?))).collect::<Result<Vec<_>, StoreError>>()?;
        // PostgreSQL may order texts by a language.
        documents.sort_by_key(|(key, _)| *key);
        Ok(documents.into_iter().map(|(_, document)| document).collect())
    }
}

fn read<T: Document>(key: &str, body: &str) -> Result<Arc<T>, StoreError> {
    serde_json::from_str(body).map(Arc::new).map_err(|error| StoreError::document(T::KIND, key, &error))
}
